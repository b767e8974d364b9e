"""Results have names that fit on a disk, and no two images share one."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.predict.sources import ResultNames
from zoo.utils.names import shortened


def named(*places: str) -> list[str]:
    names = ResultNames()
    made = [names.of(Path(place)).as_posix() for place in places]
    assert made == [names.of(Path(place)).as_posix() for place in places]  # always the same
    return made


def test_a_result_has_the_stem_of_its_image():
    assert named("7.jpg", "a/7.jpg", "no_suffix", "x.y.png") == ["7", "a/7", "no_suffix", "x.y"]


def test_images_of_one_stem_do_not_share_a_name():
    assert named("7.bmp", "7.jpg", "7.JPG") == ["7", "7.jpg", "7.JPG.2"]


def test_long_names_fit_and_stay_apart():
    long = "n" * 251
    names = named(f"{long}.png", f"{long}.jpg", f"{long}.bmp", "ü" * 125 + ".tiff")
    assert names[0] == long
    assert len(set(names)) == 4
    assert all(len(os.fsencode(f"{name}.png")) <= 255 for name in names)


def test_a_folder_with_the_name_of_a_result_is_in_nobodys_way():
    names = named("x.jpg", "x.png/1.jpg", "x.png/2.jpg")
    assert names == ["x", "x.png_1.jpg", "x.png_2.jpg"]
    names = named("x.png/1.jpg", "x.jpg")
    assert names == ["x.png/1", "x.jpg"]


def test_bytes_that_are_no_text_are_part_of_a_name():
    names = named("\udcff.png", "\udcfe.png", "\udcff" * 251 + ".png", "\udcff" * 251 + ".jpg")
    assert names[:2] == ["\udcff", "\udcfe"]
    assert len(set(names)) == 4


def test_a_name_is_cut_between_letters_and_told_by_a_hash():
    cut = shortened("ü" * 200, 100)
    assert len(os.fsencode(cut)) <= 100
    assert cut.startswith("üüü")
    assert cut != shortened("ü" * 201, 100)
    assert shortened("ü" * 50, 100) == "ü" * 50
