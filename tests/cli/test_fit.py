"""`zoo fit RECIPE --good DIR`: folders as people have them become a run, or one clear line."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from zoo.cli import main

SIZE = (48, 64)
RECIPE = """# PatchCore on small images with random weights, for tests.
model:
  class_path: ZooPatchcore
  init_args: {weights: random, image_size: 64, coreset_sampling_ratio: 0.1}
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 4, eval_batch_size: 4}
"""
FILES = {"config.yaml", "model.ckpt", "calibration.json", "histograms.npz", "metrics.json"}
FILES |= {"cost.json", "cases", "rule_histograms.npz", "checksums.json"}


@pytest.fixture
def shots(tmp_path, texture, write_image, monkeypatch):
    """Stand in a folder with a recipe, 8 normal images, 2 bad ones and their masks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.yaml").write_text(RECIPE, encoding="utf-8")
    for index in range(8):
        write_image(tmp_path / f"good/day {index % 2}/IMG_{index}.jpg", texture(index, SIZE))
    mask = np.zeros(SIZE, np.uint8)
    mask[10:26, 20:40] = 255
    for index in range(2):
        pixels = texture(50 + index, SIZE)
        pixels[mask > 0] = 255 - pixels[mask > 0] // 4
        write_image(tmp_path / f"bad/IMG_{index}.jpg", pixels)
        write_image(tmp_path / f"masks/IMG_{index}.png", mask)
    return tmp_path


def fit(*words: str) -> int:
    return main(["fit", "quick.yaml", "--good", "good", *map(str, words)])


def metrics_of(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture
def no_fit(cheap_runs):
    """Fail a test that gets as far as fitting."""
    cheap_runs.before = lambda experiment, folder: pytest.fail("the fit began")


def test_normal_images_alone_give_thresholds_and_what_to_expect(shots, capsys):
    assert fit() == 0
    folder = shots / "detector"
    assert {path.name for path in folder.iterdir()} == FILES
    metrics = metrics_of(folder)
    assert metrics["splits"] == {}
    assert metrics["object"] == shots.name
    assert metrics["expected_false_alarms"]["n_images"] == 2
    assert list((folder / "cases" / "validation").iterdir())
    printed = capsys.readouterr().out
    assert "8 normal images: 6 to learn from, 2 for the threshold\n" in printed
    assert "few normal images: a threshold that rests on 2 may be far off" in printed
    assert "no anomalous images were given" in printed
    assert "false alarms to expect: " in printed
    assert "next: zoo predict detector IMAGE_OR_FOLDER" in printed


def test_many_false_alarms_come_with_a_way_out(shots, capsys, monkeypatch):
    monkeypatch.setattr("zoo.cli.fit._MANY", -1)
    assert fit() == 0
    printed = capsys.readouterr().out
    assert "that is many: zoo calibrate detector --rule '" in printed
    [hint] = [line for line in printed.splitlines() if line.startswith("that is many")]
    words = shlex.split(hint.partition("zoo ")[2].partition(" marks")[0])
    assert main(words) == 0
    assert "new: threshold" in capsys.readouterr().out


@pytest.mark.slow
def test_anomalous_images_without_masks_give_figures_per_image(shots, capsys):
    assert fit("--bad", "bad", "--out", "run") == 0
    values = metrics_of(shots / "run")["splits"]["test"]
    assert values["n_images"] == 3
    assert values["segf1"] is None
    assert 0 <= values["image_auroc"] <= 1
    assert values["reasons"]["segf1"] == "defective images without masks"
    kinds = {path.name.split("_")[0] for path in (shots / "run/cases/test").iterdir()}
    assert {"worst", "best"} <= kinds
    printed = capsys.readouterr().out
    assert f"found {2 * values['detection_rate']:.0f} of 2 anomalous images" in printed
    assert "SegF1" not in printed


@pytest.mark.slow
def test_masks_give_figures_per_pixel(shots, capsys):
    assert fit("--bad", "bad", "--masks", "masks", "--out", "run") == 0
    values = metrics_of(shots / "run")["splits"]["test"]
    assert values["reasons"] == {}
    assert f"SegF1 {values['segf1']:.3f})" in capsys.readouterr().out


def test_a_mask_that_is_missing_is_named(shots, capsys):
    (shots / "masks/IMG_1.png").unlink()
    assert fit("--bad", "bad", "--masks", "masks") == 0
    assert "no mask for IMG_1.jpg of 2 anomalous images" in capsys.readouterr().out
    assert metrics_of(shots / "detector")["splits"]["test"]["segf1"] is None


def test_two_images_are_enough_to_begin_with(shots, capsys):
    for path in sorted((shots / "good").rglob("*.jpg"))[2:]:
        path.unlink()
    assert fit() == 0
    assert metrics_of(shots / "detector")["expected_false_alarms"] is None
    assert "one image for the threshold cannot tell" in capsys.readouterr().out


@pytest.mark.slow
def test_the_run_is_used_again(shots):
    from zoo.runs.api import load

    assert fit("--keep", "maps") == 0
    assert (shots / "detector/maps/validation/index.json").is_file()
    found = load(shots / "detector", device="cpu").predict(shots / "bad/IMG_0.jpg")
    assert found.mask.shape == SIZE


@pytest.mark.slow
def test_the_recorded_command_repeats_the_run(shots):
    extra = ["--max-good", "6", "--seed", "3", "--model.num_neighbors", "3"]
    assert fit("--bad", "bad", *extra, "--out", "first") == 0
    first = metrics_of(shots / "first")
    words = first["command"].split()[1:]
    assert main([*words, "--out", "second"]) == 0
    assert metrics_of(shots / "second") == first


def test_options_of_the_recipe_go_on_to_it(shots, cheap_runs):
    passed = ["--model.num_neighbors", "3", "--data.eval_batch_size=2", "--trainer.max_epochs", "2"]
    assert fit(*passed) == 0
    config = yaml.safe_load((shots / "detector/config.yaml").read_text())
    assert config["model"]["init_args"]["num_neighbors"] == 3
    assert config["data"]["class_path"].endswith("ImageFolders")
    assert config["data"]["init_args"]["train_batch_size"] == 4  # of the recipe
    assert config["data"]["init_args"]["eval_batch_size"] == 2
    assert config["trainer"]["max_epochs"] == 2


@pytest.mark.slow
def test_the_configuration_replays_from_anywhere(shots, tmp_path_factory, monkeypatch):
    (shots / "bad").rename(shots / "[null]")  # what YAML would read as a list
    assert fit("--bad", "[null]") == 0
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert main(["train", "--config", str(shots / "detector/config.yaml")]) == 0
    [again] = Path("runs").rglob("metrics.json")
    assert metrics_of(again.parent)["splits"] == metrics_of(shots / "detector")["splits"]


@pytest.mark.slow
def test_a_detector_stays_until_a_newer_one_of_the_same_object_is_complete(shots, cheap_runs):
    def interrupt(experiment, folder):
        raise KeyboardInterrupt

    assert fit("--seed", "1") == 0
    (shots / "detector/notes.txt").write_text("mine")
    cheap_runs.before = interrupt
    assert fit("--seed", "2") == 130
    assert fit("--out", "other") == 130
    assert metrics_of(shots / "detector")["seed"] == 1
    assert not list(shots.glob("other*"))
    cheap_runs.before = lambda experiment, folder: None
    assert fit("--seed", "2") == 0
    assert metrics_of(shots / "detector")["seed"] == 2
    assert (shots / "detector/notes.txt").read_text() == "mine"


def _one_file(shots):
    return ["--good", "good/day 0/IMG_0.jpg"]


def _empty(shots):
    (shots / "empty").mkdir()
    return ["--good", "empty"]


def _alone(shots):
    for path in sorted((shots / "good").rglob("*.jpg"))[1:]:
        path.unlink()
    return []


def _video_only(shots):
    (shots / "video").mkdir()
    (shots / "video/clip.mp4").touch()
    return ["--good", "video"]


def _broken(shots):
    (shots / "good/day 1/IMG_3.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    return []


def _twin(shots):
    shutil.copy(shots / "bad/IMG_0.jpg", shots / "good/copy.jpg")
    return ["--bad", "bad"]


def _smeared(shots):
    Image.open(shots / "masks/IMG_0.png").save(shots / "masks/IMG_0.jpg")
    (shots / "masks/IMG_0.png").unlink()
    return ["--bad", "bad", "--masks", "masks"]


def _small_mask(shots):
    Image.new("L", (9, 9)).save(shots / "masks/IMG_0.png")
    return ["--bad", "bad", "--masks", "masks"]


def _two_masks(shots):
    shutil.copy(shots / "masks/IMG_0.png", shots / "masks/IMG_0_mask.png")
    return ["--bad", "bad", "--masks", "masks"]


def _foreign_mask(shots):
    shutil.rmtree(shots / "masks")
    (shots / "masks").mkdir()
    Image.new("L", (64, 48)).save(shots / "masks/other.png")
    return ["--bad", "bad", "--masks", "masks"]


def _another_detector(shots):
    (shots / "detector").mkdir()
    facts = {"recipe": "quick", "method": "m", "object": "screws", "seed": 0, "splits": {}}
    facts |= {"config_hash": "x"}
    (shots / "detector/metrics.json").write_text(json.dumps(facts))
    return []


MISTAKES = {
    "no such folder": (lambda shots: ["--good", "god"], "no images at god: no such folder"),
    "a file": (_one_file, "a file, not a folder"),
    "an empty folder": (_empty, "no image in empty: they end in"),
    "one image": (_alone, "good: at least 2 are needed"),
    "a video only": (_video_only, "clip.mp4: video, of which ffmpeg makes images"),
    "a broken image": (_broken, "IMG_3.jpg cannot be read"),
    "good is bad": (lambda shots: ["--bad", "good"], "good is given twice"),
    "one image in both": (_twin, "good/copy.jpg: normal or anomalous?"),
    "masks without bad": (lambda shots: ["--masks", "masks"], "but no anomalous images"),
    "a JPEG mask": (_smeared, "save masks as PNG"),
    "a mask too small": (_small_mask, "is 9x9, its image is 64x48"),
    "two masks": (_two_masks, "bad/IMG_0.jpg: "),
    "no mask fits": (_foreign_mask, "IMG_0.jpg wants IMG_0.png or IMG_0_mask.png"),
    "a folder of somebody": (lambda shots: ["--out", "."], "is not empty and holds no run"),
    "out is a file": (lambda shots: ["--out", "quick.yaml"], "is a file"),
    "out among the images": (lambda shots: ["--out", "good/new"], "good/new lies in good"),
    "another detector": (_another_detector, "holds a detector of 'screws'"),
    "too few drawn": (lambda shots: ["--max-good", "0"], "max_good is 0"),
    "a wrong word": (lambda shots: ["--mask", "masks"], "did you mean '--masks'"),
    "a seed below 0": (lambda shots: ["--seed", "-1"], "is -1, which is not in bounds"),
    "a wrong number": (lambda shots: ["--seed", "one"], "invalid int value: 'one'"),
    "a wrong option": (lambda shots: ["--model.image_sizee", "3"], "did you mean 'image_size'"),
}


@pytest.mark.parametrize(("mistake", "says"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line_before_the_fit(shots, no_fit, capsys, mistake, says):
    words = mistake(shots)
    before = sorted(shots.rglob("*"))
    assert fit(*words) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("zoo: ")
    assert error.count("\n") == 1
    assert sorted(shots.rglob("*")) == before


def test_an_image_torn_in_the_middle_is_named(shots, capsys):
    path = shots / "good/day 1/IMG_3.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    assert fit() == 1
    error = capsys.readouterr().err
    assert "IMG_3.jpg cannot be read" in error
    assert error.count("\n") == 1
    assert not list(shots.glob("detector*"))


@pytest.mark.slow
def test_what_is_left_out_is_said(shots, capsys):
    (shots / "good/clip.mov").touch()
    (shots / "good/IMG_9.heic").touch()
    (shots / "good/._IMG_1.jpg").write_text("macOS")
    (shots / "good/.DS_Store").touch()
    assert fit() == 0
    printed = capsys.readouterr().out
    assert "left out clip.mov: video" in printed
    assert "left out IMG_9.heic: a format that is not read here" in printed
    assert "8 normal images" in printed


@pytest.mark.slow
def test_bad_and_masks_may_lie_inside_the_good_folder(shots):
    shutil.move(shots / "masks", shots / "bad/masks")
    shutil.move(shots / "bad", shots / "good/bad")
    assert fit("--bad", "good/bad", "--masks", "good/bad/masks") == 0
    values = metrics_of(shots / "detector")["splits"]["test"]
    assert (values["n_images"], values["n_good"]) == (3, 1)
    assert values["segf1"] is not None


@pytest.mark.slow
def test_images_of_several_sizes_and_kinds_are_fitted(shots):
    for index, mode in enumerate(("L", "RGBA", "CMYK")):
        path = shots / f"good/day 0/IMG_{2 * index}.jpg"
        with Image.open(path) as image:
            changed = image.convert(mode).resize((30 + 9 * index, 70))
        changed.save(path.with_suffix(".tif"))
        path.unlink()
    assert fit("--bad", "bad", "--masks", "masks") == 0
    assert metrics_of(shots / "detector")["splits"]["test"]["segf1"] is not None


def test_no_more_than_wanted_is_read(shots, cheap_runs, capsys):
    assert fit("--max-good", "4") == 0
    printed = capsys.readouterr().out
    assert "4 of 8 normal images are used, drawn by seed 0" in printed
    assert "4 normal images: 3 to learn from, 1 for the threshold" in printed


def test_options_of_ours_may_come_first(shots, cheap_runs):
    assert main(["fit", "--seed", "1", "--good", "good", "quick.yaml", "--out=run"]) == 0
    assert metrics_of(shots / "run")["seed"] == 1


@pytest.mark.slow
def test_anomalibs_own_fit_writes_checkpoints_and_no_run(mini, tmp_path, capsys):
    model = ["--model", "ZooPatchcore", "--model.weights", "random", "--model.image_size", "64"]
    data = ["--data", "MVTecAD2Layout", "--data.root", str(mini), "--data.category", "part"]
    assert (
        main(["anomalib", "fit", *model, *data, "--default_root_dir", str(tmp_path / "out")]) == 0
    )
    assert list((tmp_path / "out").rglob("*.ckpt"))
    assert not list((tmp_path / "out").rglob("metrics.json"))


@pytest.mark.parametrize("words", [[], ["quick.yaml"], ["--bad", "bad"], ["--bad", "bad", "r"]])
def test_what_is_missing_is_said(words, capsys):
    assert main(["fit", *words]) == 1
    error = capsys.readouterr().err
    assert "the following arguments are required: " in error
    assert "--good" in error
    assert error.count("\n") == 1


def test_an_unknown_recipe_offers_the_nearest(shots, capsys):
    assert main(["fit", "patchcore/embeded", "--good", "good"]) == 1
    assert "did you mean 'patchcore/embedded'" in capsys.readouterr().err


def test_the_help_names_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    printed = capsys.readouterr().out
    for option in ("RECIPE", "--good", "--bad", "--masks", "--out", "--max-good", "--model.image"):
        assert option in printed


@pytest.mark.slow
def test_the_table_shows_runs_on_own_images(shots, capsys):
    assert fit("--out", "runs/a") == 0
    assert fit("--bad", "bad", "--out", "runs/b") == 0
    capsys.readouterr()
    assert main(["table", "runs"]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| quick")]
    assert len(rows) == 2
    assert f"| quick | {shots.name} | 0 | test | 1 | 2 |" in printed
    assert f"| quick | {shots.name} | 0 | - | - | - | - | - |" in printed
    assert "VAND" not in printed
