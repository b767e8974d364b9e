"""`zoo bench` through the command's main: results, resuming, failures, interruptions."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout

import pytest
from PIL import Image
from small_recipes import PATCHCORE

from zoo.cli import main
from zoo.metrics import load_splits

FILES = {"config.yaml", "model.ckpt", "calibration.json", "histograms.npz", "metrics.json"}
KEYS = {
    "segf1",
    "precision",
    "recall",
    "oracle_segf1",
    "segf1_all_positive",
    "flagged_fraction",
    "image_auroc",
    "segf1_low",
    "segf1_high",
    "image_auroc_low",
    "image_auroc_high",
    "image_f1_max",
    "pixel_auroc",
    "au_pro_005",
    "au_pro_030",
    "false_blobs_per_good_image",
    "false_alarm_rate",
    "detection_rate",
    "n_images",
    "n_good",
}


def bench(recipe, root, out, *more: str) -> int:
    return main(["bench", str(recipe), "--data.root", str(root), "--out", str(out), *more])


def metrics_of(out, name="part", seed=0) -> dict:
    return json.loads((out / "quick" / name / f"seed{seed}" / "metrics.json").read_text())


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def first(tmp_path_factory, write_object):
    """Return where a run lies, and what was printed."""
    root = tmp_path_factory.mktemp("bench")
    write_object(root / "data", "part")
    (root / "quick.yaml").write_text(PATCHCORE, encoding="utf-8")
    with redirect_stdout(io.StringIO()) as printed:
        assert bench(root / "quick.yaml", root / "data", root / "runs") == 0
    return root / "runs", printed.getvalue()


def test_a_run_writes_its_folder_and_the_table_shows_it(first):
    out, printed = first
    folder = out / "quick" / "part" / "seed0"
    assert FILES | {"cost.json", "cases"} <= {path.name for path in folder.iterdir()}
    metrics = metrics_of(out)
    assert {key: metrics[key] for key in ("recipe", "method", "object", "seed")} == {
        "recipe": "quick",
        "method": "patchcore",
        "object": "part",
        "seed": 0,
    }
    assert set(metrics["splits"]) == {"test_public", "test_private", "test_private_mixed"}
    for values in metrics["splits"].values():
        assert set(values) == KEYS | {"reasons"}
        assert values["n_images"] == 4
        assert values["n_good"] == 2
        assert values["segf1"] <= values["oracle_segf1"] + 1e-3
    cost = json.loads((folder / "cost.json").read_text())
    assert set(cost["phases"]) >= {"fit", "calibrate", "test_private"}
    assert cost["latency"]["passes"] >= 20
    assert cost["memory"]["peak_rss_mb"] > 100
    raw = load_splits(folder / "histograms.npz")
    assert set(raw) == {"validation", *metrics["splits"]}
    assert raw["validation"].normal.total == 3 * 48 * 64
    seen = load_splits(folder / "rule_histograms.npz")
    assert set(seen) == {*metrics["splits"], "validation"}
    assert seen["validation"].normal.total == 3 * 48 * 64
    assert metrics["vand4_admissible"] == "yes"
    assert "; VAND 4 yes (" in printed
    assert "| quick | patchcore | yes | 1 | 1 |" in printed
    assert "Published on **MVTec AD 2**" in printed


@pytest.mark.slow
def test_an_equal_run_agrees_to_the_last_digit_and_another_seed_does_not(recipe, mini, out, first):
    assert bench(recipe, mini, out, "--seeds", "0", "1", "--splits", "test_public") == 0
    same, other = (metrics_of(out, seed=seed)["splits"] for seed in (0, 1))
    assert same == {"test_public": metrics_of(first[0])["splits"]["test_public"]}
    assert other["test_public"] != same["test_public"]


@pytest.mark.slow
def test_finished_runs_are_skipped_until_something_that_counts_changes(
    recipe, mini, out, cheap_runs, capsys
):
    assert bench(recipe, mini, out) == 0
    assert bench(recipe, mini, out) == 0
    assert len(cheap_runs.done) == 1
    assert "finished before" in capsys.readouterr().out
    copy = mini.parent / "copied"
    shutil.copytree(mini, copy)  # the same data elsewhere is the same data
    assert bench(recipe, copy, out) == 0
    assert len(cheap_runs.done) == 1
    recipe.write_text(recipe.read_text().replace("q: 0.99", "q: 0.98"))
    assert bench(recipe, mini, out) == 0
    assert len(cheap_runs.done) == 2
    (mini / "part" / "train" / "good" / "000_regular.png").unlink()
    assert bench(recipe, mini, out) == 0
    assert len(cheap_runs.done) == 3


@pytest.mark.slow
def test_a_failed_run_is_one_line_and_the_others_go_on(recipe, mini, out, capsys):
    shutil.copytree(mini / "part", mini / "a_broken")
    (mini / "a_broken" / "train" / "good" / "001_regular.png").write_bytes(b"")
    assert bench(recipe, mini, out) == 1
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("failed: ")]
    assert "001_regular.png is empty (0 bytes)" in line
    assert metrics_of(out, "part")["splits"]["test_public"]["n_images"] == 4
    failed = json.loads((out / "quick" / "a_broken" / "seed0" / "failed.json").read_text())
    assert failed["object"] == "a_broken"


def test_interrupted_grid_keeps_what_is_finished_and_goes_on(recipe, mini, out, cheap_runs, capsys):
    shutil.copytree(mini / "part", mini / "second")

    def interrupt(experiment, folder):
        if experiment.object_name == "second":
            (folder / "half.txt").write_text("half")
            raise KeyboardInterrupt

    cheap_runs.before = interrupt
    assert bench(recipe, mini, out) == 130
    assert "interrupted" in capsys.readouterr().err
    assert metrics_of(out, "part")
    assert not list((out / "quick").glob("second/*"))
    cheap_runs.before = lambda experiment, folder: None
    assert bench(recipe, mini, out) == 0
    assert "1 to do" in capsys.readouterr().out
    assert metrics_of(out, "second")


def test_a_transductive_model_is_not_admissible_and_the_run_says_why(
    recipe, mini, out, monkeypatch, capsys
):
    from zoo_plugins.patchcore import ZooPatchcore

    monkeypatch.setattr(ZooPatchcore, "transductive", "per-split scales", raising=False)
    assert bench(recipe, mini, out) == 0
    output = "no: transductive, one test image is scored with the help of others: per-split scales"
    assert metrics_of(out)["vand4_admissible"] == output
    assert f"; VAND 4 {output}" in capsys.readouterr().out


@pytest.mark.slow
def test_a_split_without_truth_has_counts_only(recipe, mini, out, capsys):
    shutil.rmtree(mini / "part" / "private_ground_truth")
    assert bench(recipe, mini, out) == 0
    assert "private SegF1 server, private_mixed SegF1 server" in capsys.readouterr().out
    values = metrics_of(out)["splits"]["test_private"]
    assert values["n_images"] == 4
    assert values["flagged_fraction"] is not None
    missing = KEYS - {"n_images", "flagged_fraction"}
    assert all(values[key] is None for key in missing)
    assert set(values["reasons"]) == missing


def test_images_of_several_sizes_are_judged_at_their_own_size(recipe, mini, out):
    for path in sorted((mini / "part").rglob("001_*.png")):
        with Image.open(path) as image:
            image.resize((90, 70), Image.Resampling.NEAREST).save(path)
    assert bench(recipe, mini, out) == 0
    assert metrics_of(out)["splits"]["test_public"]["n_images"] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--objects", "prat"], "no object 'prat'"),
        (["--splits", "test_privat"], "no split 'test_privat'; did you mean 'test_private'?"),
        (["--seeds", "one"], "invalid int value: 'one'"),
        (["--seed", "1"], "did you mean '--seeds'"),
    ],
)
def test_typing_errors_are_one_line(recipe, mini, out, words, message, capsys):
    assert bench(recipe, mini, out, *words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_recipe_that_names_an_object_is_refused(recipe, mini, out, capsys):
    recipe.write_text(recipe.read_text() + "\nfor: part\n")
    assert bench(recipe, mini, out) == 1
    assert "names the object 'part'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: shutil.rmtree(root / "part" / "validation"), "no validation images"),
        (lambda root: _truncate(root), "cannot be read"),
        (lambda root: _resize_mask(root), "a mask has the size of its image"),
        (lambda root: _grey_mask(root), "only 0 (normal) and 255 (defect) count"),
    ],
)
def test_bad_data_is_one_clear_line(recipe, mini, out, damage, message, capsys):
    damage(mini)
    assert bench(recipe, mini, out) == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed")]
    assert message in line


def test_scores_that_are_not_finite_are_named(recipe, mini, out, monkeypatch, capsys):
    from zoo_plugins.patchcore import ZooPatchcore

    real = ZooPatchcore.test_step

    def diverged(self, batch, *args, **kwargs):
        batch = real(self, batch, *args, **kwargs)
        batch.anomaly_map = batch.anomaly_map * float("nan")
        return batch

    monkeypatch.setattr(ZooPatchcore, "test_step", diverged)
    assert bench(recipe, mini, out) == 1
    assert "NaN or infinite scores" in capsys.readouterr().out


def _masks(root):
    return sorted((root / "part" / "test_public" / "ground_truth" / "bad").iterdir())


def _truncate(root):
    path = root / "part" / "test_public" / "good" / "000_regular.png"
    path.write_bytes(path.read_bytes()[:200])


def _resize_mask(root):
    Image.new("L", (10, 10)).save(_masks(root)[0])


def _grey_mask(root):
    Image.new("L", (64, 48), 7).save(_masks(root)[0])
