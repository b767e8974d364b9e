"""`zoo submit`: what it prints, its exit codes, and every mistake as one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.vand.submission.expected import MAPS, MASKS, on_disk


@pytest.fixture
def data(mini, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return mini


@pytest.fixture
def sub(data) -> Path:
    """Return a sound submission to the data set."""
    import numpy as np

    from zoo.vand.submission.write import write_pair

    for seed, image in enumerate(on_disk(data).images):
        score_map = np.random.default_rng(seed).random(image.native_size, np.float32)
        write_pair(Path("sub"), image, score_map.astype(np.float16), score_map > 0.99)
    return Path("sub")


def test_a_fit_folder_is_packed_and_the_archive_is_fit(data, sub, capsys):
    root = ["--data.root", str(data)]
    assert main(["submit", "--check", str(sub), *root]) == 0
    assert capsys.readouterr().out == "sub has no error: 8 maps and 8 masks of 1 objects\n"
    assert main(["submit", str(sub), "--out", "sub.tar.gz", *root]) == 0
    assert main(["submit", "--check", "sub.tar.gz", *root]) == 0
    assert main(["submit", str(sub), "--out", "sub.tar.gz", *root]) == 1
    assert "nothing is overwritten" in capsys.readouterr().err


def test_a_wrong_one_tells_why_and_is_not_packed(data, sub, capsys):
    (sub / "notes.txt").touch()
    root = ["--data.root", str(data)]
    assert main(["submit", "--check", str(sub), *root]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("error: notes.txt: does not belong here")
    assert out[1] == "sub has errors: do not upload it"
    assert main(["submit", str(sub), "--out", "sub.tar.gz", *root]) == 1
    assert not Path("sub.tar.gz").exists()
    shutil.rmtree(sub / MASKS)
    assert main(["submit", str(sub), "--out", "sub.tar.gz", *root]) == 1
    assert "no masks in" in capsys.readouterr().err


def test_many_findings_of_a_kind_are_counted(data, sub, capsys):
    for path in (sub / MAPS).rglob("*.tiff"):
        path.write_bytes(b"")
    assert main(["submit", "--check", str(sub), "--data.root", str(data)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 5
    assert out[3] == "error: 5 more of this kind"


def test_without_a_data_set_mvtec_ad_2_is_expected(sub, capsys):
    assert main(["submit", "--check", str(sub)]) == 1
    out = capsys.readouterr().out
    assert "part: does not belong here, where MVTec AD 2 has anomaly_images/can" in out
    assert "anomaly_images/can: 642 files are missing" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "one of the arguments --out --check --kit is required"),
        (["--out", "x"], "no runs: give the run folders"),
        (["--check", "nowhere"], "no submission at nowhere: it does not exist"),
        (["runs", "--check", "sub"], "--check looks at one folder or archive"),
        (["nowhere", "--out", "x"], "no such folder at nowhere"),
        (["sub", "--out", "x"], "sub is a submission already: --out NAME.tar.gz packs it"),
        (["sub", "--out", "x.zip"], "the server takes gzip-compressed tar"),
        (["--check", "."], "holds no anomaly_images: did you mean sub?"),
        (["sub", "--otu", "x"], "--out"),
    ],
)
def test_mistakes_are_one_line(sub, words, says, capsys):
    assert main(["submit", *words]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_an_incomplete_copy_of_mvtec_ad_2_is_refused(tmp_path, monkeypatch, write_object, capsys):
    """One object of the eight: known before anything is scored."""
    from types import SimpleNamespace

    from zoo.vand.submission import runs as runs_module

    monkeypatch.chdir(tmp_path)
    write_object(tmp_path / "data", "vial")
    run = SimpleNamespace(object_name="vial", root=tmp_path / "data")
    monkeypatch.setattr(runs_module, "find_runs", lambda given, seed: [run])
    assert main(["submit", "runs", "--out", "x"]) == 1
    assert "takes its 4,090 private images and no others" in capsys.readouterr().err
