"""`zoo calibrate`: new thresholds for a run, the old ones kept, both with their false alarms."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import zoo
from zoo.cli import main
from zoo.data.known_images import image_digests
from zoo.postprocess import Calibration, Quantile
from zoo.runs.checksums import verify_all, write_checksums
from zoo.runs.maps import SavedMaps

RULE = {"class_path": "zoo.postprocess.Quantile", "init_args": {"q": 0.99, "min_area_px": 4}}
RECIPE = {
    "model": {
        "class_path": "ZooPatchcore",
        "init_args": {
            "weights": "random",
            "backbone": "resnet10t",
            "layers": ["layer1", "layer2"],
            "image_size": 64,
            "coreset_sampling_ratio": 0.1,
            "post_processor": {
                "class_path": "zoo.methods.BlobPostProcessor",
                "init_args": {"rule": RULE},
            },
        },
    },
    "data": {"class_path": "zoo.data.MVTecAD2Layout", "init_args": {"eval_batch_size": 1}},
}


@pytest.fixture(scope="module")
def fitted_run(tmp_path_factory, write_object):
    folder = tmp_path_factory.mktemp("calibrate")
    write_object(folder / "data", "part")
    (folder / "quick.yaml").write_text(yaml.safe_dump(RECIPE))
    words = ["bench", str(folder / "quick.yaml"), "--data.root", str(folder / "data")]
    words += ["--splits", "test_public", "--keep", "maps", "--out", str(folder / "r")]
    assert main(words) == 0
    return folder / "r" / "quick" / "part" / "seed0"


@pytest.fixture
def run(fitted_run, tmp_path) -> Path:
    """Return a run of three validation images that kept no maps."""
    without = shutil.ignore_patterns("maps")
    return Path(shutil.copytree(fitted_run, tmp_path / "run", ignore=without))


@pytest.fixture
def run_with_maps(fitted_run, tmp_path) -> Path:
    return Path(shutil.copytree(fitted_run, tmp_path / "with_maps"))


@pytest.fixture
def lamp(tmp_path, texture, write_image) -> Path:
    """Return a folder of six normal images under a new lamp."""
    for index in range(6):
        write_image(tmp_path / "lamp" / f"{index}.png", texture(300 + index) // 2)
    return tmp_path / "lamp"


@pytest.fixture
def calibrate(capsys):
    def call(*words: object) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = main(["calibrate", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return call


def read(run: Path, name: str = "calibration.json") -> Calibration:
    return Calibration.load(run / name)


def files(run: Path) -> dict[str, bytes]:
    found = (path for path in run.rglob("*") if path.is_file())
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in found}


def data_root(run: Path) -> Path:
    return Path(yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]["root"])


def test_the_same_rule_on_the_same_images_changes_nothing(run, calibrate):
    before = files(run)
    code, lines, _ = calibrate(run)
    assert code == 0
    assert lines[-1] == "both are the same: nothing was written"
    assert lines[0].removeprefix("old") == lines[2].removeprefix("new")
    assert lines[1] == lines[3]
    assert "from 3 evaluated by thresholds of other images" in lines[1]
    assert files(run) == before


def test_kept_maps_need_neither_model_nor_images(run_with_maps, calibrate, monkeypatch):
    from zoo.runs import normal_images as normal_maps

    monkeypatch.setattr(normal_maps, "load_model", pytest.fail)
    (run_with_maps / "model.ckpt").unlink()
    old = read(run_with_maps)
    assert calibrate(run_with_maps, "--rule", "quantile(q=0.5, min_area_px=7)")[0] == 0
    new = read(run_with_maps)
    maps = SavedMaps(run_with_maps, "validation")
    derived = Quantile(q=0.5, min_area_px=7)(maps, old.split)
    assert new == replace(derived, images=old.images)
    assert new.threshold < old.threshold
    assert (new.n_images, new.split) == (old.n_images, old.split)


@pytest.mark.parametrize("name", ["SyntheticDefects", "Adaptive"])
def test_rules_that_change_the_images_need_more_than_kept_maps(run_with_maps, calibrate, name):
    code, lines, _ = calibrate(run_with_maps, "--rule", name)
    assert code == 0
    new = read(run_with_maps)
    assert new.rule == name
    assert new.n_images == 3
    assert lines[2] == f"new: {new.describe()}"


def test_a_new_rule_holds_and_the_old_calibration_is_kept(run, calibrate):
    old, before = read(run), files(run)
    code, lines, _ = calibrate(run, "--rule", "Quantile(q=0.9, min_area_px=2)")
    assert code == 0
    assert lines[0] == f"old: {old.describe()}"
    assert lines[1].startswith("     false alarms to expect: ")
    assert lines[2] == f"new: {read(run).describe()}"
    assert lines[3].startswith("     false alarms to expect: ")
    assert "calibrations/0001.json, --undo puts it back" in lines[4]
    assert "metrics.json" in lines[5]
    assert read(run, "calibrations/0001.json") == old
    assert read(run).parameters["q"] == 0.9
    after = files(run)
    assert set(after) - set(before) == {"calibrations/0001.json"}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"calibration.json", "checksums.json"}
    assert zoo.load(run).calibration == read(run)


def test_new_images_keep_the_rule_and_judge_the_old_thresholds(run, lamp, calibrate):
    old = read(run)
    code, lines, said = calibrate(run, "--good", lamp)
    assert code == 0
    new = read(run)
    assert (new.rule, new.parameters) == (old.rule, old.parameters)
    assert (new.n_images, new.n_pixels, new.split) == (6, 6 * 48 * 64, str(lamp))
    detector = zoo.load(run)
    maps = [detector.predict(path).anomaly_map for path in sorted(lamp.iterdir())]
    derived = Quantile(q=0.99, min_area_px=4)(maps, str(lamp))
    assert new == replace(derived, images=image_digests(lamp.iterdir()), given=True)
    alarms = sum(bool((each > old.threshold).any()) for each in maps)
    assert alarms  # the new lamp is an anomaly to the old thresholds
    assert lines[1].startswith("     false alarms to expect: 1000 ")
    assert "from 6 evaluated by thresholds of other images" in lines[1]
    assert not said


def test_calibrating_twice_on_the_same_images_flatters_nobody(run, lamp, calibrate):
    first = calibrate(run, "--good", lamp)[1]
    again = calibrate(run, "--good", lamp)[1]
    assert again[1] == again[3] == first[3]
    assert again[-1] == "both are the same: nothing was written"


def test_undo_puts_one_after_the_other_back(run, calibrate):
    first = read(run)
    for q in (0.9, 0.8):
        assert calibrate(run, "--rule", f"quantile(q={q})")[0] == 0
    assert [path.name for path in sorted((run / "calibrations").iterdir())] == [
        *("0001.json", "0002.json")
    ]
    code, lines, _ = calibrate(run, "--undo", "--dry-run")
    assert read(run).parameters["q"] == 0.8
    assert lines[-1] == "nothing was written"
    code, lines, _ = calibrate(run, "--undo")
    assert code == 0
    assert "q=0.8" in lines[0]
    assert "q=0.9" in lines[1]
    assert read(run).parameters["q"] == 0.9
    assert calibrate(run, "--undo")[0] == 0
    assert read(run) == first
    code, _, error = calibrate(run, "--undo")
    assert code == 1
    assert "has no older calibration" in error


def test_a_dry_run_only_prints(run, lamp, calibrate):
    before = files(run)
    code, lines, _ = calibrate(run, "--good", lamp, "--dry-run")
    assert code == 0
    assert len(lines) == 5
    assert lines[-1] == "nothing was written"
    assert files(run) == before


def test_a_full_disk_leaves_the_old_calibration(run, lamp, calibrate, monkeypatch):
    before = files(run)

    def full(*words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zoo.runs.calibrations.put_file", full)
    code, _, error = calibrate(run, "--good", lamp)
    assert code == 1
    assert error.startswith("zoo: no space left for ")
    before["calibrations/0001.json"] = before["calibration.json"]
    assert {**files(run), "checksums.json": None} == {**before, "checksums.json": None}
    verify_all(run)


def test_an_old_calibration_that_cannot_be_read_does_not_matter(run, calibrate):
    path = run / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 0}))
    code, _, error = calibrate(run)
    assert code == 1
    assert "name the rule of the new one with --rule" in error
    code, lines, _ = calibrate(run, "--rule", "quantile")
    assert code == 0
    assert lines[0] == "old: this version cannot read it"
    assert read(run).n_images == 3


def test_images_that_the_model_learned_from_are_refused(run, lamp, calibrate):
    code, _, error = calibrate(run, "--good", data_root(run) / "part" / "train")
    assert code == 1
    assert "4 of 4 images are some that run" in error
    (lamp / "link.png").symlink_to(data_root(run) / "part" / "train" / "good" / "000_regular.png")
    assert "1 of 7 images" in calibrate(run, "--good", lamp)[2]


def test_the_calibration_names_its_images(run):
    validation = sorted((data_root(run) / "part/validation/good").iterdir())
    assert read(run).images == image_digests(validation)
    assert len(read(run).images) == 3
    assert not read(run).given


def admissible(run: Path) -> str:
    return json.loads((run / "metrics.json").read_text())["vand4_admissible"]


def test_given_images_end_admissibility_and_undo_brings_it_back(run, lamp, calibrate):
    before = files(run)
    code, lines, _ = calibrate(run, "--good", lamp)
    assert code == 0
    assert admissible(run).startswith("no: thresholds from given images")
    assert lines[-1].startswith("VAND 4.0 admits thresholds from train and validation only")
    calibrate(run, "--rule", "quantile(q=0.5)")  # of the run's own images
    assert admissible(run) == "yes"
    assert not read(run).given
    calibrate(run, "--undo")
    assert admissible(run).count("thresholds from given images") == 1
    calibrate(run, "--undo")
    assert files(run) == before


def test_the_runs_own_images_given_again_are_still_its_own(run, tmp_path, calibrate):
    own = data_root(run) / "part/validation/good"
    copied = shutil.copytree(own, tmp_path / "copied")
    for number, path in enumerate(sorted(copied.iterdir())):
        path.rename(copied / f"{9 - number}.png")
    assert calibrate(run, "--good", copied)[1][-1] == "both are the same: nothing was written"
    assert admissible(run) == "yes"


TESTS = ["test_public/good", "test_public/bad", "test_private", "test_private_mixed"]


@pytest.mark.parametrize("split", TESTS)
def test_test_images_set_no_threshold(run, calibrate, split):
    before = files(run)
    code, lines, error = calibrate(run, "--good", data_root(run) / "part" / split)
    assert code == 1
    assert "test images decide nothing" in error
    assert error.count("\n") == 1
    assert not lines
    assert files(run) == before


def linked(source: Path, place: Path) -> None:
    place.symlink_to(source)


def hard_linked(source: Path, place: Path) -> None:
    place.hardlink_to(source)


def saved_anew(source: Path, place: Path) -> None:
    with Image.open(source) as image:
        image.save(place.with_suffix(".bmp"))


@pytest.mark.parametrize("hide", [linked, hard_linked, shutil.copy, saved_anew])
@pytest.mark.parametrize("split", TESTS)
def test_test_images_are_known_under_any_name(run, lamp, calibrate, hide, split):
    hide(sorted((data_root(run) / "part" / split).iterdir())[0], lamp / "mine.png")
    code, _, error = calibrate(run, "--good", lamp, "--dry-run")
    assert code == 1
    assert "test image" in error
    assert error.count("\n") == 1


def test_test_images_of_other_objects_are_known_too(run, lamp, calibrate, write_object):
    other = write_object(data_root(run), "other", size=(40, 56))
    try:
        shutil.copy(other / "test_private_mixed" / "003_mixed.png", lamp / "7.png")
        code, _, error = calibrate(run, "--good", lamp)
        assert code == 1
        assert "1 of 7 images are test images, such as" in error
    finally:
        shutil.rmtree(other)


def test_copies_of_training_images_are_refused(run, lamp, calibrate):
    shutil.copy(data_root(run) / "part/train/good/000_regular.png", lamp / "new.png")
    assert "1 of 7 images are some that run" in calibrate(run, "--good", lamp)[2]


def move_data(run: Path) -> None:
    path = run / "config.yaml"
    path.write_text(path.read_text().replace(str(data_root(run)), "/gone"))
    write_checksums(run)


def change_data(run: Path) -> None:
    path = run / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data_fingerprint": "other"}))
    write_checksums(run)


@pytest.mark.parametrize(
    ("damage", "says"),
    [(move_data, "are not there (no data at /gone"), (change_data, "have changed since")],
)
def test_images_that_are_gone_or_changed_want_others(run, lamp, calibrate, damage, says):
    damage(run)
    code, _, error = calibrate(run)
    assert code == 1
    assert says in error
    assert error.rstrip().endswith("give images with --good DIR")
    assert error.count("\n") == 1
    assert calibrate(run, "--good", lamp)[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rule", "quantil"], "did you mean 'Quantile'"),
        (["--rule", "quantile(qq=1)"], "did you mean 'q'"),
        (["--good", "nowhere"], "no images at nowhere"),
        (["--good", "one"], "1 image in one: a threshold needs 2"),
        (["--undo", "--rule", "quantile"], "it takes no --good and no --rule"),
        (["--undo"], "has no older calibration"),
        (["--god", "x"], "did you mean '--good'"),
    ],
)
def test_mistakes_are_one_line(run, calibrate, words, says, tmp_path, monkeypatch, write_image):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "one" / "1.png", np.zeros((9, 9), np.uint8))
    before = files(run)
    code, lines, error = calibrate(run, *words)
    assert code == 1
    assert says in error
    assert error.count("\n") == 1
    assert not lines
    assert files(run) == before


def test_a_damaged_image_is_named(run, lamp, calibrate):
    (lamp / "3.png").write_bytes(b"")
    code, _, error = calibrate(run, "--good", lamp)
    assert code == 1
    assert "3.png is empty" in error
    assert not (run / "calibrations").exists()
