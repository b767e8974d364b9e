"""`zoo relight`: the same scores as a pass by hand, marks, table and plot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_recipes import PATCHCORE

import zoo
from zoo.cli import main
from zoo.data.images import read_image
from zoo.data.masks import read_mask
from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.finish import finish
from zoo.postprocess.rules import Adaptive, Quantile
from zoo.results.robustness import label, plot, robustness_table, seen_families


def relight(capsys, *words) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["relight", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_object):
    """Return the folder of the runs of one recipe on two objects."""
    root = tmp_path_factory.mktemp("relight")
    for name in ("first", "second"):
        write_object(root / "data", name)
    (root / "quick.yaml").write_text(PATCHCORE, encoding="utf-8")
    words = ("--data.root", str(root / "data"), "--out", str(root / "runs"))
    assert main(["bench", str(root / "quick.yaml"), *words, "--splits", "test_public"]) == 0
    return root / "runs" / "quick"


def test_scores_are_those_of_predictions_on_relit_pictures(runs, tmp_path, capsys):
    folder = runs / "first" / "seed0"
    out = tmp_path / "out"
    words = ("--families", "shadow", "--severities", "3", "--seed", "7")
    assert relight(capsys, folder, "--out", out, *words)[0] == 0
    rows = pd.read_csv(out / "rows.csv").set_index("family")
    assert rows.loc["clean", "n_images"] == 4

    detector = zoo.load(folder)
    public = runs.parents[1] / "data" / "first" / "test_public"
    images = [*sorted(public.glob("bad/*.png")), *sorted(public.glob("good/*.png"))]
    counted = np.zeros(3)
    # Lit at the model's size, as for calibration.
    for index, path in enumerate(images):
        pixels = read_image(path)
        small = detector.at_model_size(pixels)
        lit = relight_image(small, Light("shadow", 3, 7 + index))
        score_map, _ = detector.score(lit)
        mask = finish(score_map, pixels.shape[:2], detector.calibration).mask
        truth = np.zeros(mask.shape, bool)
        if path.parent.name == "bad":
            truth = read_mask(public / "ground_truth" / "bad" / f"{path.stem}_mask.png", mask.shape)
        counted += [(mask & truth).sum(), (mask & ~truth).sum(), (~mask & truth).sum()]
    tp, fp, fn = counted
    assert rows.loc["shadow", "segf1"] == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-5)
    clean = rows.loc["clean", "segf1"]
    assert rows.loc["shadow", "drop"] == pytest.approx(
        1 - rows.loc["shadow", "segf1"] / clean, abs=1e-4
    )


def test_without_a_light_the_score_is_that_of_the_run(runs, tmp_path, capsys):
    words = ("--families", "gain", "--severities", "1", "--out", tmp_path / "out")
    assert relight(capsys, runs / "first" / "seed0", *words)[0] == 0
    rows = pd.read_csv(tmp_path / "out" / "rows.csv").set_index("family")
    metrics = pd.read_json(runs / "first" / "seed0" / "metrics.json", typ="series")
    expected = metrics["splits"]["test_public"]["segf1"]
    assert rows.loc["clean", "segf1"] == pytest.approx(expected, abs=1e-5)


def test_runs_of_several_objects_are_one_table_and_one_plot(runs, capsys):
    code, printed = relight(capsys, runs, "--severities", "1", "5", "--images", "2")
    assert code == 0, printed
    assert "**quick** (first, second)" in printed
    assert "| severity | 1 | 5 |" in printed
    assert sum(line.startswith(f"| {f}") for f in FAMILIES for line in printed.splitlines()) == 6
    with Image.open(runs / "robustness" / "quick.png") as image:
        assert image.width > 1000
    rows = pd.read_csv(runs / "robustness" / "rows.csv")
    assert len(rows) == 2 * (1 + 6 * 2)
    assert set(rows["n_images"]) == {2}
    before = (runs / "robustness" / "rows.csv").read_bytes()
    code, printed = relight(capsys, runs)
    assert code == 1
    assert "robustness exists: move it" in printed
    assert (runs / "robustness" / "rows.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--families", "gian"], "unknown family of lights 'gian'; did you mean 'gain'?"),
        (["--severities", "6"], "use a whole number from 1 to 5"),
        (["--images", "0"], "--images is 0"),
        (["--split", "test_publik"], "unknown split 'test_publik'; did you mean"),
        (["--data.root", "/nowhere"], "no data at /nowhere"),
    ],
)
def test_typing_errors_are_one_line(runs, capsys, words, message):
    code, printed = relight(capsys, runs / "first" / "seed0", *words)
    assert code == 1
    assert message in printed
    assert printed.count("\n") == 1


def calibration(rule) -> Calibration:
    return Calibration(1.0, rule=type(rule).__name__, parameters=rule.parameters())


def augmented(name, **arguments) -> dict:
    lights = {"class_path": name, "init_args": arguments}
    return {"data": {"init_args": {"train_augmentations": {"transforms": [lights]}}}}


@pytest.mark.parametrize(
    ("config", "rule", "wanted"),
    [
        ({}, Quantile(), {}),
        ({}, Adaptive(), dict.fromkeys(FAMILIES, ("calibration",))),
        (
            augmented("zoo.data.relight.Relight", preset="all", families=["spot", "gain"]),
            Quantile(),
            {"spot": ("training",), "gain": ("training",)},
        ),
        (augmented("Relight"), Quantile(), dict.fromkeys(FAMILIES, ("training",))),
        (augmented("Relight", preset="superadd"), Quantile(), {"gain": ("training",)}),
        (
            augmented("torchvision.transforms.v2.ColorJitter"),
            Adaptive(),
            dict.fromkeys(FAMILIES, ("calibration",))
            | dict.fromkeys(("gain", "gamma", "colour_cast"), ("calibration", "training")),
        ),
    ],
)
def test_families_that_were_seen_are_known(config, rule, wanted):
    assert seen_families(config, calibration(rule)) == dict.fromkeys(FAMILIES, ()) | wanted


def test_a_calibration_set_by_hand_saw_no_light():
    assert not any(seen_families({}, Calibration(1.0)).values())


def test_seen_families_are_marked_in_table_and_plot(tmp_path):
    rows = pd.DataFrame(
        [
            {"recipe": "m/a", "object": "x", "family": f, "severity": s, "segf1": v, "seen": seen}
            for f, s, v, seen in (
                ("clean", 0, 0.5, ""),
                ("gain", 1, 0.4, "calibration and training"),
                ("spot", 1, 0.6, ""),
            )
        ]
    ).assign(n_images=3)
    text = robustness_table(rows)
    assert "| gain [c, t] | 40.0 % (20.0 %) |" in text
    assert "| spot | 60.0 % (-20.0 %) |" in text
    assert label("shadow", "training") == "shadow [t]"
    plot(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
