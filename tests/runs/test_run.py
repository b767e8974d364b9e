"""Runs as somebody at a Python prompt makes and uses them, and the seams of `zoo.runs.run.run`."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

import zoo
from zoo.benchmark.attempt import Attempt
from zoo.recipes.experiment import load
from zoo.runs.identity import identity
from zoo.runs.resume import ResumePoint
from zoo.runs.run import Run, fit_here, open_data, resume_point, run
from zoo.utils.errors import ZooError
from zoo.utils.lock import locked

SIZE = (48, 64)


@pytest.fixture(scope="module")
def images(tmp_path_factory, texture, write_image):
    """Return a folder with 8 normal images, 2 anomalous ones their masks, and 2 later ones."""
    root = tmp_path_factory.mktemp("images")
    mask = np.zeros(SIZE, np.uint8)
    mask[10:26, 20:40] = 255
    for index in range(8):
        write_image(root / f"normal/{index}.png", texture(index, SIZE))
    for index in range(2):
        pixels = texture(50 + index, SIZE)
        pixels[mask > 0] = 255 - pixels[mask > 0] // 4
        write_image(root / f"anomalous/{index}.png", pixels)
        write_image(root / f"masks/{index}.png", mask)
        write_image(root / f"later/{index}.png", texture(80 + index, SIZE))
    return root


@pytest.fixture(scope="module")
def fitted(images, tmp_path_factory):
    """Return a run of one small fit, for all tests of this module that spoil nothing."""
    from small_recipes import PATCHCORE

    recipe = tmp_path_factory.mktemp("recipe") / "quick.yaml"
    recipe.write_text(PATCHCORE, encoding="utf-8")
    messages: list[str] = []
    made = zoo.fit(
        recipe,
        normal=images / "normal",
        anomalous=images / "anomalous",
        masks=images / "masks",
        out=tmp_path_factory.mktemp("out") / "detector",
        overrides={"model.num_neighbors": 3},
        seed=2,
        log=messages.append,
    )
    assert any("8 normal images" in line for line in messages)
    return made


@pytest.fixture
def own(fitted, tmp_path):
    """Return a copy of the run that a test may change."""
    return Run(shutil.copytree(fitted.folder, tmp_path / "detector"))


@pytest.fixture
def planned(recipe, mini, tmp_path):
    """Return an experiment on the smallest data set."""
    data = {"init_args": {"root": str(mini), "category": "part"}}
    return load(recipe, data=data, out=tmp_path / "runs", splits=("test_public",))


def test_a_fit_gives_a_run_that_tells_of_itself(fitted, images):
    assert isinstance(fitted, zoo.Run)
    assert {key: fitted.metrics[key] for key in ("recipe", "object", "seed", "method")} == {
        "recipe": "quick",
        "object": images.name,
        "seed": 2,
        "method": "patchcore",
    }
    assert fitted.metrics["splits"]["test"]["segf1"] is not None
    assert set(fitted.cost["phases"]) >= {"fit", "calibrate", "test"}
    assert fitted.calibration.n_images == 2
    assert fitted == Run(fitted.folder)
    config = load(fitted.folder / "config.yaml")
    assert config.model["init_args"]["num_neighbors"] == 3
    assert config.data["class_path"].endswith("ImageFolders")


def test_the_run_and_its_folder_predict_alike(fitted, images):
    image = images / "anomalous" / "0.png"
    one, other = fitted.load(device="cpu").predict(image), zoo.load(fitted.folder).predict(image)
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.anomaly_map, other.anomaly_map)
    assert one.mask.shape == SIZE
    assert one.score == other.score


def test_new_thresholds_hold_at_once_and_the_old_ones_are_kept(own, images):
    before, splits = own.calibration, own.metrics["splits"]
    after = own.calibrate(rule="Quantile(q=0.5, min_area_px=0)", normal=images / "later")
    assert after == own.calibration
    assert after.threshold < before.threshold
    assert after.given
    assert len(list((own.folder / "calibrations").iterdir())) == 1
    image = images / "normal" / "0.png"
    assert own.load(device="cpu").predict(image).mask.sum() > 0
    assert own.metrics["splits"] == splits  # of the calibration that they were made with
    assert own.metrics["vand4_admissible"].startswith("no: thresholds from given images")


def test_the_same_thresholds_again_write_nothing(own):
    before = own.calibration
    assert own.calibrate() == before
    assert not (own.folder / "calibrations").exists()


def test_an_exported_graph_is_loaded_by_the_same_function(own, images):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    [path] = own.export()
    assert path == own.folder / "exported" / "model.onnx"
    image = images / "anomalous" / "1.png"
    ours, theirs = own.load(device="cpu").predict(image), zoo.load(path).predict(image)
    np.testing.assert_allclose(theirs.anomaly_map, ours.anomaly_map, rtol=1e-3, atol=1e-3)
    assert zoo.load(path).calibration == own.calibration


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normal": "nowhere"}, "no images at nowhere"),
        ({"normal": "."}, "no image in"),
        ({"masks": "masks"}, "but no anomalous images"),
        ({"overrides": {"model.image_sizee": 3}}, "did you mean 'image_size'"),
        ({"recipe": "patchcore/embeded"}, "did you mean 'patchcore/embedded'"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(images, tmp_path, monkeypatch, options, message):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    (tmp_path / "masks").mkdir()
    words = {"recipe": "quickstart", "normal": images / "normal", "out": tmp_path / "new"}
    words |= {**options, **({"masks": images / "masks"} if "masks" in options else {})}
    with pytest.raises(ZooError) as raised:
        zoo.fit(words.pop("recipe"), **words)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "new").exists()


def test_another_fit_takes_the_place_and_concludes_the_run(planned, cheap_runs):
    concluded = []

    def fit(*args):
        concluded.clear()
        done = cheap_runs(*args)
        done.conclude = lambda facts, folder: concluded.append((facts, sorted(folder.iterdir())))
        return done

    made = run(planned, fit=fit)
    [(facts, paths)] = concluded
    assert {path.name for path in paths} >= {"config.yaml", "metrics.json", "cost.json"}
    assert facts.items() <= made.metrics.items()
    assert list(made.metrics["splits"]) == ["test_public"]


def test_somebody_may_finish_a_run_before_its_lock_is_ours(planned, cheap_runs, monkeypatch):
    @contextmanager
    def late(folder):
        monkeypatch.setattr("zoo.benchmark.attempt.locked", locked)
        assert Attempt()(planned, print).state == "finished"
        with locked(folder):
            yield

    monkeypatch.setattr("zoo.benchmark.attempt.locked", late)
    assert Attempt()(planned, print).state == "skipped"
    assert cheap_runs.done == [("part", 0)]


def test_images_of_the_test_splits_are_read_before_the_first_step(mini, tmp_path, monkeypatch):
    from small_recipes import STFPM

    path = tmp_path / "small.yaml"
    path.write_text(f"{STFPM}data:\n  class_path: zoo.data.MVTecAD2Layout\n", encoding="utf-8")
    data = {"init_args": {"root": str(mini), "category": "part"}}
    planned = load(path, data=data, out=tmp_path / "runs", overrides={"trainer.max_epochs": 2})
    [image, *_] = sorted((mini / "part/test_public/bad").glob("*.png"))
    image.write_bytes(image.read_bytes()[:-40])  # its header is sound
    monkeypatch.setattr("zoo.runs.run.fit_and_calibrate", lambda *args, **words: pytest.fail("fit"))
    said: list[str] = []
    with pytest.raises(ZooError, match=image.name):
        run(planned, report=said.append)
    assert "reading test_public 0/4" in said


def test_a_run_that_fails_leaves_the_older_one(planned, cheap_runs):
    run(planned)
    before = (planned.folder / "metrics.json").read_bytes()
    cheap_runs.before = lambda experiment, folder: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run(replace(planned, seed=1, folder=planned.folder))
    assert (planned.folder / "metrics.json").read_bytes() == before
    assert [path.name for path in planned.folder.parent.iterdir()] == [planned.folder.name]


def test_a_run_that_fails_leaves_no_empty_folder(planned, cheap_runs, tmp_path):
    cheap_runs.before = lambda experiment, folder: 1 / 0
    folder = tmp_path / "new" / "part" / "seed0"
    with pytest.raises(ZeroDivisionError):
        run(replace(planned, folder=folder))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("resume", [True, False])
def test_the_state_of_an_interrupted_training_is_gone_on_from_or_thrown_away(
    planned, cheap_runs, resume
):
    which = identity(planned, open_data(planned).fingerprint())
    point = resume_point(planned, which, cheap_runs)
    assert point != resume_point(planned, which, fit_here)  # a sealed fit has a state of its own
    point.save({"state_dict": {}})
    found = []

    def before(experiment, folder):
        found.append(ResumePoint.beside(planned.folder, point.key).found())

    cheap_runs.before = before
    assert run(planned, resume=resume) == Run(planned.folder)
    assert bool(found[0]) is resume
    assert not point.folder.exists()  # the run is finished


def test_runs_on_a_data_set_are_listed_in_the_order_of_the_plan(
    recipe, mini, write_object, tmp_path, cheap_runs
):
    write_object(mini, "a_second")
    lines: list[str] = []
    options = {"out": tmp_path / "runs", "seeds": (0, 1), "log": lines.append}
    assert zoo.bench([str(recipe)], mini, dry_run=True, **options) == []
    assert lines[0] == f"4 runs into {tmp_path / 'runs'}, 4 to do"
    runs = zoo.bench([str(recipe)], mini, **options)
    assert [(made.metrics["object"], made.metrics["seed"]) for made in runs] == [
        ("a_second", 0),
        ("a_second", 1),
        ("part", 0),
        ("part", 1),
    ]
    assert (runs.n_finished, runs.failed, runs.busy) == (4, [], [])
    again = zoo.bench([str(recipe)], mini, **options)
    assert (list(again), again.n_finished) == (list(runs), 0)
    assert len(cheap_runs.done) == 4


def test_runs_that_fail_or_are_busy_are_named_and_not_listed(
    recipe, mini, write_object, tmp_path, cheap_runs
):
    write_object(mini, "second")

    def fail(experiment, folder):
        if experiment.object_name == "second":
            raise ZooError("no such thing")

    cheap_runs.before = fail
    with locked(tmp_path / "runs" / "quick" / "part" / "seed1"):
        runs = zoo.bench(
            [str(recipe)], mini, out=tmp_path / "runs", seeds=(0, 1), log=lambda line: None
        )
    assert [made.metrics["seed"] for made in runs] == [0]
    assert runs.failed == [(f"quick · second · seed {seed}", "no such thing") for seed in (0, 1)]
    [(label, reason)] = runs.busy
    assert label == "quick · part · seed 1"
    assert "is being computed by process" in reason
