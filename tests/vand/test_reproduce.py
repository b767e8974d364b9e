"""`zoo reproduce` from a data set to the archive, and from the server's answer to the outcome."""

from __future__ import annotations

import shutil

import pytest

from zoo.cli import main
from zoo.vand.submission import expected


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

    monkeypatch.setattr("zoo.cli.submit.hand_in", pack)
    return calls


@pytest.mark.slow
def test_images_and_gb_come_first_then_runs_and_archive(data, tmp_path, packed, capsys):
    out = tmp_path / "runs"
    code, printed = reproduce(capsys, "patchcore", "--data.root", data, "--out", out)
    assert code == 0, printed
    assert printed.startswith("2 objects, 38 images, 0.1 MB of maps")
    assert printed.index("0.1 MB") < printed.index("[1/2]") < printed.index("upload")
    assert "is not the benchmark: nothing here compares with PatchCore" in printed
    for name in ("first", "second"):
        folder = out / "patchcore-mvtec_ad_2_paper" / name / "seed0"
        assert '"rule": "MeanStd"' in (folder / "calibration.json").read_text()
    assert packed == [([out / "patchcore-mvtec_ad_2_paper"], data)]
    code, printed = reproduce(capsys, "patchcore", "--data.root", data, "--out", out)
    assert code == 1
    assert "patchcore-mvtec_ad_2_paper.tar.gz exists: move it" in printed


def test_a_dry_run_says_it_and_stops(data, tmp_path, capsys):
    words = ("--data.root", data, "--out", tmp_path / "runs", "--dry-run")
    code, printed = reproduce(capsys, "patchcore", *words)
    assert code == 0
    assert "nothing was run" in printed
    assert not (tmp_path / "runs").exists()


def test_an_answer_is_kept_beside_the_runs_and_never_overwritten(tmp_path, write_answer, capsys):
    runs = tmp_path / "runs" / "patchcore-mvtec_ad_2_paper"
    words = ("patchcore", "--out", tmp_path / "runs")
    assert "PatchCore: published 3.7 % / 3.4 %" in reproduce(capsys, *words)[1]
    assert reproduce(capsys, *words)[1].endswith("not yet run\n")
    answer = write_answer(3.8, 3.5, 28, 26)
    code, printed = reproduce(capsys, *words, "--server", answer)
    assert code == 0
    assert "PatchCore: **reproduced**" in printed
    assert "kept as" not in printed  # there are no runs that it belongs to
    runs.mkdir(parents=True)
    assert "kept as" in reproduce(capsys, *words, "--server", answer)[1]
    assert reproduce(capsys, *words)[1].endswith("reproduced\n")
    other = write_answer(30, 30, 28, 26, "other.csv")
    code, printed = reproduce(capsys, *words, "--server", other)
    assert code == 1
    assert "holds another answer of the server" in printed
    assert (runs / "server.csv").read_bytes() == answer.read_bytes()


def test_without_a_method_every_published_row_has_its_state(tmp_path, capsys):
    code, printed = reproduce(capsys, "--out", tmp_path)
    assert code == 0
    assert "recipe patchcore/mvtec_ad_2_paper: not yet run" in printed
    assert "MSFlow: no recipe here" in printed


def test_a_server_file_with_missing_objects_is_one_line(write_answer, capsys):
    path = write_answer(1, 1, 1, 1)
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    code, printed = reproduce(capsys, "patchcore", "--server", path)
    assert code == 1
    assert "lacks walnuts of test_private_mixed: a mean needs every object" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("missing", ["test_private", "validation"])
def test_a_data_set_that_makes_no_archive_is_one_line(data, capsys, missing):
    shutil.rmtree(data / "first" / missing)
    code, printed = reproduce(capsys, "patchcore", "--data.root", data)
    assert code == 1
    assert f"object 'first' has no {missing} images" in printed
    assert printed.count("\n") == 1


def test_the_benchmark_is_known_by_its_objects_and_must_be_whole(
    data, write_object, write_image, texture, monkeypatch, capsys
):
    sizes = {"first": (64, 48, 4), "second": (64, 48, 4)}
    monkeypatch.setattr(expected, "MVTEC_AD_2", sizes)
    words = ("patchcore", "--data.root", data, "--dry-run")
    assert "is not the benchmark" not in reproduce(capsys, *words)[1]
    write_image(data / "first/test_private/000_regular.png", texture(0, (18, 20)))
    assert "has in another size first/test_private/000_regular" in reproduce(capsys, *words)[1]
    write_object(data, "bottle")
    assert "holds besides bottle/test_private/000_regular" in reproduce(capsys, *words)[1]
    shutil.rmtree(data / "second")
    assert "lacks second/test_private/000_regular" in reproduce(capsys, *words)[1]


def test_a_list_takes_no_data(data, capsys):
    assert "name the METHOD" in reproduce(capsys, "--data.root", data)[1]
