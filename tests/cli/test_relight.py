"""`zoo relight`: files under other lights, the same for a seed, and mistakes in one line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zoo.cli import main
from zoo.data.relight import Light, relight_image


@pytest.fixture
def shots(tmp_path, texture, write_image):
    write_image(tmp_path / "shots" / "a" / "1.png", texture(0))
    write_image(tmp_path / "shots" / "b" / "1.png", texture(1, (30, 1)))
    return tmp_path / "shots"


def test_each_picture_is_written_under_each_light(shots, tmp_path, texture, capsys):
    words = ["relight", str(shots), "--out", str(tmp_path / "out"), "--families", "gain", "shadow"]
    assert main([*words, "--severities", "2", "5", "--seed", "7"]) == 0
    assert "2 pictures under 4 lights" in capsys.readouterr().out
    kinds = ["gain_2", "gain_5", "shadow_2", "shadow_5"]
    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*_?/*/*"))
    assert written == [f"{kind}/{name}/1.png" for kind in kinds for name in "ab"]
    relit = np.asarray(Image.open(tmp_path / "out/shadow_5/b/1.png"))
    expected = relight_image(texture(1, (30, 1)), Light("shadow", 5, 7 * 2**32 + 1))
    np.testing.assert_array_equal(relit, expected)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--families", "moon"], "choose from"),
        (["--severities", "6"], "invalid choice: 6"),
        ([], "two pictures would become 1.png"),
    ],
)
def test_mistakes_are_one_line(words, says, tmp_path, texture, write_image, capsys):
    for name in ("1.png", "1.bmp"):
        write_image(tmp_path / "shots" / name, texture(0))
    assert main(["relight", str(tmp_path / "shots"), "--out", str(tmp_path / "out"), *words]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
