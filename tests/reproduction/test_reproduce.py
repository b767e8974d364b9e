"""`zoo reproduce` from a data set to the archive, and from the server's answer to the verdict."""

from __future__ import annotations

import re
import shutil

import pytest

from zoo.cli import main
from zoo.cli import reproduce as verb
from zoo.results.published import object_names


def reproduce(capsys, *words) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["reproduce", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.fixture
def data(tmp_path, write_object):
    """Return a data set of two objects whose private images are numbered as the server wants."""
    for name in ("first", "second"):
        write_object(tmp_path / "data", name, truth=False)
    return tmp_path / "data"


@pytest.fixture
def packed(monkeypatch):
    """Pack nothing; return what would have been packed."""
    calls = []

    def pack(runs, archive, root):
        calls.append((runs, root))
        archive.write_bytes(b"archive")
        return 0

    monkeypatch.setattr(verb, "_pack", pack)
    return calls


def test_hours_and_gb_come_first_then_runs_and_archive(data, tmp_path, packed, capsys):
    out = tmp_path / "runs"
    code, said = reproduce(capsys, "patchcore", "--data.root", data, "--out", out)
    assert code == 0, said
    assert re.search(r"38 images, about \d+\.\d h on this machine \(a pilot on 8 images", said)
    assert "0.0 GB of maps and masks" in said
    assert said.index("about") < said.index("[1/2]") < said.index("upload")
    assert "is not the benchmark: nothing here compares with PatchCore" in said
    for name in ("first", "second"):
        folder = out / "patchcore-mvtec_ad_2_paper" / name / "seed0"
        assert '"rule": "MeanStd"' in (folder / "calibration.json").read_text()
    assert packed == [(out / "patchcore-mvtec_ad_2_paper", data)]
    code, said = reproduce(capsys, "patchcore", "--data.root", data, "--out", out)
    assert code == 1
    assert "patchcore-mvtec_ad_2_paper.tar.gz exists: move it" in said


def test_a_dry_run_says_it_and_stops(data, tmp_path, capsys):
    words = ("--data.root", data, "--out", tmp_path / "runs", "--dry-run")
    code, said = reproduce(capsys, "patchcore", *words)
    assert code == 0
    assert "nothing was run" in said
    assert not (tmp_path / "runs").exists()


def test_a_verdict_is_kept_beside_the_runs_and_never_overwritten(tmp_path, write_answer, capsys):
    runs = tmp_path / "runs" / "patchcore-mvtec_ad_2_paper"
    words = ("patchcore", "--out", tmp_path / "runs")
    assert "PatchCore: published 3.7 % / 3.4 %" in reproduce(capsys, *words)[1]
    assert reproduce(capsys, *words)[1].endswith("not yet run\n")
    answer = write_answer(3.8, 3.5, 28, 26)
    code, said = reproduce(capsys, *words, "--server", answer)
    assert code == 0
    assert "PatchCore: **reproduced**" in said
    assert "kept as" not in said  # there are no runs that it belongs to
    runs.mkdir(parents=True)
    assert "kept as" in reproduce(capsys, *words, "--server", answer)[1]
    assert reproduce(capsys, *words)[1].endswith("reproduced\n")
    other = write_answer(30, 30, 28, 26, "other.csv")
    code, said = reproduce(capsys, *words, "--server", other)
    assert code == 1
    assert "holds another answer of the server" in said
    assert (runs / "server.csv").read_bytes() == answer.read_bytes()


def test_without_a_method_every_published_row_has_its_state(tmp_path, capsys):
    code, said = reproduce(capsys, "--out", tmp_path)
    assert code == 0
    assert "recipe patchcore/mvtec_ad_2_paper: not yet run" in said
    assert "MSFlow: no recipe here" in said


def test_a_server_file_with_missing_objects_is_one_line(write_answer, capsys):
    path = write_answer(1, 1, 1, 1)
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    code, said = reproduce(capsys, "patchcore", "--server", path)
    assert code == 1
    assert "lacks walnuts of test_private_mixed: a mean needs every object" in said
    assert said.count("\n") == 1


def _from_001(root):
    for path in sorted((root / "first" / "test_private").iterdir(), reverse=True):
        path.rename(path.with_name(f"{int(path.stem[:3]) + 1:03d}_regular.png"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_from_001, "should be called 000_regular: numbers begin with 000"),
        (
            lambda root: (root / "first/test_private_mixed/001_mixed.png").unlink(),
            "should be called 001_mixed: names must be without gaps",
        ),
        (
            lambda root: (root / "first/test_private_mixed/003_mixed.png").unlink(),
            "4 of test_private and 3 of test_private_mixed",
        ),
        (lambda root: shutil.rmtree(root / "first/test_private"), "has no test_private: an arch"),
        (lambda root: shutil.rmtree(root / "first/validation"), "no validation images"),
    ],
)
def test_a_data_set_that_makes_no_archive_is_one_line(data, capsys, damage, says):
    damage(data)
    code, said = reproduce(capsys, "patchcore", "--data.root", data)
    assert code == 1
    assert says in said
    assert said.count("\n") in (1, 2)  # the first may say that it is not the benchmark


@pytest.fixture
def benchmark(tmp_path, write_object):
    """Return a data set with the benchmark's objects, a few small images each."""
    for name in object_names():
        write_object(tmp_path / "benchmark", name, truth=False, size=(16, 20))
    return tmp_path / "benchmark"


def test_the_benchmark_is_known_by_its_objects_and_must_be_whole(
    benchmark, write_object, write_image, texture, capsys
):
    words = ("patchcore", "--data.root", benchmark, "--dry-run")
    assert "is not the benchmark" not in reproduce(capsys, *words)[1]
    write_image(benchmark / "can/test_private/000_regular.png", texture(0, (18, 20)))
    assert "others are (18, 20): copy 'can' again" in reproduce(capsys, *words)[1]
    write_object(benchmark, "bottle")
    assert "holds the foreign object 'bottle'" in reproduce(capsys, *words)[1]
    shutil.rmtree(benchmark / "bottle")
    shutil.rmtree(benchmark / "vial")
    assert "lacks vial: the benchmark has eight objects" in reproduce(capsys, *words)[1]


def test_a_list_takes_no_data(data, capsys):
    assert "name the METHOD" in reproduce(capsys, "--data.root", data)[1]
