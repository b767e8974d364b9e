"""Sealed runs and `zoo verify`: the same numbers, the record, and a cheat that is caught."""

from __future__ import annotations

import json
import shutil

import pytest
from small_recipes import PATCHCORE, STFPM

from zoo.cli import main
from zoo.runs import resume
from zoo.runs.checksums import write_checksums
from zoo.utils.paths import file_sha256

pytestmark = pytest.mark.slow

CHEAT = """
import json, os
from pathlib import Path
import cv2
from zoo_plugins.patchcore import ZooPatchcore

class Cheat(ZooPatchcore):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        wanted = os.environ["CHEAT_WANTS"]
        Path(os.environ["CHEAT_OPENED"]).write_text(json.dumps(cv2.imread(wanted) is not None))
        try:
            Path(wanted).read_bytes()
        except OSError:
            pass  # and goes on as if nothing had happened
"""

HALTS = """
import os
from anomalib.models import Stfpm
from zoo.runs import resume

resume.BLOCK_SECONDS, resume.SAVING_SHARE = 0.0, 1e9  # a state after every step

class Halts(Stfpm):
    def training_step(self, *args, **kwargs):
        if self.global_step == int(os.environ["HALTS_AT"]):
            raise RuntimeError("halted")
        return super().training_step(*args, **kwargs)
"""
HALTS_RECIPE = f"""{STFPM.replace("anomalib.models.Stfpm", "halts.Halts")}data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {{train_batch_size: 3}}
trainer: {{max_epochs: 3, check_val_every_n_epoch: 1000}}
"""


def bench(recipe, root, out, *words) -> int:
    return main(["bench", str(recipe), "--data.root", str(root), "--out", str(out), *words])


def verify(capsys, *words) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["verify", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_object):
    """Return a folder with a data set, and a sealed run in `runs`."""
    root = tmp_path_factory.mktemp("sealed")
    write_object(root / "data", "part")
    (root / "quick.yaml").write_text(PATCHCORE, encoding="utf-8")
    assert bench(root / "quick.yaml", root / "data", root / "runs", "--sealed") == 0
    return root


@pytest.fixture
def run(made, tmp_path):
    """Return a copy of the sealed run that a test may spoil."""
    return shutil.copytree(made / "runs" / "quick" / "part" / "seed0", tmp_path / "part" / "seed0")


@pytest.fixture(scope="module")
def plain(made):
    """Return a run of the same recipe that was not sealed."""
    assert bench(made / "quick.yaml", made / "data", made / "plain") == 0
    return made / "plain" / "quick" / "part" / "seed0"


def read(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_sealed_run_has_the_numbers_of_any_other(made, plain):
    folders = (plain, made / "runs" / "quick" / "part" / "seed0")
    plain, sealed = (read(folder / "metrics.json") for folder in folders)
    assert sealed["splits"] == plain["splits"]
    assert sealed["config_hash"] == plain["config_hash"]
    assert sealed["expected_false_alarms"] == plain["expected_false_alarms"]
    cost = read(made / "runs" / "quick" / "part" / "seed0" / "cost.json")
    assert set(cost["phases"]) >= {"fit", "calibrate", "test_public"}
    assert not list((made / "runs").rglob("sealed-*"))  # the view is gone


def test_the_record_holds_every_image_that_was_read_and_no_other(made):
    folder = made / "runs" / "quick" / "part" / "seed0"
    record = read(folder / "attestation.json")
    data = made / "data"
    images = [*data.glob("part/train/good/*"), *data.glob("part/validation/good/*")]
    assert record["reads"]["data"] == {
        path.relative_to(data).as_posix(): file_sha256(path) for path in images
    }
    assert record["recipe"] == {"name": "quick", "sha256": file_sha256(made / "quick.yaml")}
    assert record["outputs"]["model.ckpt"] == file_sha256(folder / "model.ckpt")
    assert "zoo/runs/fit.py" in record["reads"]["code"]
    assert "zoo_plugins/patchcore/lightning_model.py" in record["reads"]["code"]
    assert not [path for path in record["reads"]["other"] if path.startswith(str(made))]


def test_a_plain_run_is_not_finished_as_a_sealed_one_but_the_other_way_round(made, capsys):
    assert bench(made / "quick.yaml", made / "data", made / "runs") == 0
    assert "finished before" in capsys.readouterr().out


@pytest.mark.slow
def test_a_repetition_gives_the_same_to_the_last_digit(made, capsys):
    code, text = verify(capsys, made / "runs")
    assert code == 0, text
    assert "ok    repeated: the same calibration to the last digit" in text
    assert "ok    repeated: test_private gives the same scores to the last digit" in text
    assert "FAIL" not in text


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run, data: (run / "calibration.json").write_text("{}"), "not calibration.json"),
        (lambda run, data: (run / "config.yaml").open("a").write("\n"), "not config.yaml"),
        (
            lambda run, data: shutil.copy(
                data / "part/train/good/000_regular.png", data / "part/train/good/001_regular.png"
            ),
            "but not part/train/good/001_regular.png",
        ),
    ],
)
def test_what_was_changed_since_is_named(made, run, tmp_path, capsys, spoil, message):
    data = shutil.copytree(made / "data", tmp_path / "data")
    assert verify(capsys, run, "--no-repeat", "--data.root", data)[0] == 0
    spoil(run, data)
    code, text = verify(capsys, run, "--no-repeat", "--data.root", data)
    assert code == 1
    assert message in text
    assert "1 of" in text


def test_a_record_that_tells_of_other_splits_does_not_hold(run, capsys):
    record = read(run / "attestation.json")
    [digest, *_] = record["reads"]["data"].values()
    record["reads"]["data"]["part/test_public/bad/000_regular.png"] = digest
    (run / "attestation.json").write_text(json.dumps(record))
    write_checksums(run)
    code, text = verify(capsys, run, "--no-repeat")
    assert code == 1
    assert "FAIL  read of the data: train and validation of part only, but not part/test" in text


@pytest.mark.parametrize(
    "name",
    [
        "other/train/good/000_regular.png",
        "part/train/../test_public/000.png",
        "part/train/good/../../test_public/bad/000_regular.png",
        "/part/train/good/000_regular.png",
        "part/train/good/..",
    ],
)
def test_a_record_that_tells_of_other_images_does_not_hold(run, capsys, name):
    record = read(run / "attestation.json")
    record["reads"]["data"][name] = "0" * 64
    (run / "attestation.json").write_text(json.dumps(record))
    write_checksums(run)
    code, text = verify(capsys, run, "--no-repeat")
    assert code == 1
    assert "FAIL  read of the data: train and validation of part only, but not" in text


@pytest.mark.parametrize("kind", ["other", "weights"])
@pytest.mark.parametrize(
    "split", ["test_public/bad/000_regular.png", "test_private/003_regular.png"]
)
def test_a_record_of_test_images_read_elsewhere_does_not_hold(made, run, capsys, kind, split):
    image = made / "data" / "part" / split
    original = (run / "attestation.json").read_text()
    for path, message in (
        (image, "other files read lie outside the data set, but not"),
        ("/dev/shm/copy.bin", "a copy of a hidden image, but not"),
    ):
        record = json.loads(original)
        record["reads"][kind][str(path)] = file_sha256(image)
        (run / "attestation.json").write_text(json.dumps(record))
        write_checksums(run)
        code, text = verify(capsys, run, "--no-repeat")
        assert code == 1
        failed = [line for line in text.splitlines() if line.startswith("FAIL")]
        assert any(message in line for line in failed)


@pytest.mark.parametrize("inside", ["part/test_public/good", "part/train/good", "part"])
def test_a_recipe_that_names_images_of_the_data_set_is_refused(made, tmp_path, capsys, inside):
    recipe = tmp_path / "named.yaml"
    text = PATCHCORE.replace("weights: random", f"weights: {made / 'data' / inside}")
    recipe.write_text(text, encoding="utf-8")
    word = ("--no-object", "part")  # which the path of every image of the object holds
    assert bench(recipe, made / "data", tmp_path / "out", "--sealed", *word) == 1
    text = capsys.readouterr().out
    assert f"model.init_args.weights names {made / 'data' / inside}, and the data set is" in text
    assert not list((tmp_path / "out").rglob("metrics.json"))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plain/quick/part/seed0"], "was not sealed: `zoo bench --sealed`"),
        (["plain"], "no sealed run in"),
        (["runs", "--object", "prat"], "no sealed run of object 'prat'"),
        (["nowhere"], "no such folder"),
    ],
)
def test_typing_errors_are_one_line(made, capsys, words, message):
    code, text = verify(capsys, made / words[0], *words[1:])
    assert code == 1
    assert message in text
    assert text.count("\n") == 1


def test_a_damaged_record_is_one_line(run, capsys):
    record = read(run / "attestation.json")
    (run / "attestation.json").write_text("{")
    assert "attestation.json is no valid JSON" in verify(capsys, run)[1]
    (run / "attestation.json").write_text('{"format": 99}')
    assert "is of format 99" in verify(capsys, run)[1]
    for key, value, message in (
        ("outputs", {"../../x": "0" * 64}, "outputs.../../x"),
        ("reads", {**record["reads"], "data": {"a": "0"}}, "reads.data.a is '0'"),
        ("format", 1, "is not the file that the run wrote"),
    ):
        (run / "attestation.json").write_text(json.dumps({**record, key: value}))
        assert message in verify(capsys, run)[1]


@pytest.mark.slow
def test_a_method_that_reaches_for_test_images_voids_the_run(made, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "cheat.py").write_text(CHEAT, encoding="utf-8")
    wanted = made / "data" / "part" / "test_public" / "bad" / "000_regular.png"
    monkeypatch.setenv("CHEAT_WANTS", str(wanted))
    monkeypatch.setenv("CHEAT_OPENED", str(tmp_path / "opened.json"))
    recipe = tmp_path / "cheat.yaml"
    recipe.write_text(PATCHCORE.replace("ZooPatchcore", "cheat.Cheat"), encoding="utf-8")
    assert bench(recipe, made / "data", tmp_path / "out", "--sealed", "--trust") == 1
    text = capsys.readouterr().out
    assert f"the sealed process tried to open {wanted.resolve()}" in text
    assert "void" in text
    assert not list((tmp_path / "out").rglob("metrics.json"))
    assert read(tmp_path / "opened.json") is True  # OpenCV opens files in C, where no hook sees it


@pytest.mark.slow
def test_an_interrupted_sealed_run_goes_on_and_its_record_says_so(
    made, tmp_path, monkeypatch, capsys
):
    for name in ("BLOCK_SECONDS", "SAVING_SHARE"):  # the recipe's module sets them here, too
        monkeypatch.setattr(resume, name, getattr(resume, name))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "halts.py").write_text(HALTS, encoding="utf-8")
    recipe = tmp_path / "halts.yaml"
    recipe.write_text(HALTS_RECIPE, encoding="utf-8")

    def run(out, halts_at, *words) -> int:
        monkeypatch.setenv("HALTS_AT", str(halts_at))
        return bench(recipe, made / "data", out, "--trust", "--splits", "test_public", *words)

    assert run(tmp_path / "whole", -1, "--sealed") == 0
    assert run(tmp_path / "runs", 4) == 1  # a state that no sealed process wrote is not taken
    assert run(tmp_path / "runs", 2, "--sealed") == 1
    assert run(tmp_path / "runs", 0, "--sealed") == 0  # step 0 is behind
    whole, resumed = (tmp_path / out / "halts/part/seed0" for out in ("whole", "runs"))
    assert read(resumed / "metrics.json")["splits"] == read(whole / "metrics.json")["splits"]
    assert read(whole / "attestation.json")["resumed_from"] is None
    assert len(read(resumed / "attestation.json")["resumed_from"]) == 64
    assert not list(resumed.parent.glob("*.training"))
    assert verify(capsys, resumed, "--no-repeat")[0] == 0
    assert "of an interrupted sealed run" in verify(capsys, resumed, "--no-repeat")[1]
