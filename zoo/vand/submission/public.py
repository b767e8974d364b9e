"""Finished runs judged on `test_public`: SegF1 of their own masks, pooled over all pixels.

For a last look, never for a choice: VAND 4.0 lets `test_public` decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from zoo.data import layout
from zoo.metrics import PixelCounts
from zoo.runs.load import load
from zoo.utils.progress import counted
from zoo.vand.submission.runs import ObjectRun

SPLIT = "test_public"


def judge_public(
    runs: Sequence[ObjectRun],
    root: Path,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Return SegF1 per object, and say it line by line with the mean at the end.

    Objects on which it has no value are left out.

    Args:
        runs: One run per object.
        root: The data set.
        device: Where models run.
        say: Receives the lines.
    """
    scores: dict[str, float] = {}
    for run in runs:
        listed = layout.samples(root, run.object_name, SPLIT)
        detector, counts = load(run.folder, device), PixelCounts()
        predicted = detector.predict(sample.image_path for sample in listed)
        pairs = zip(listed, predicted, strict=True)
        for sample, prediction in counted(pairs, len(listed), run.object_name):
            truth = sample.truth(prediction.mask.shape)
            counts.update(prediction.mask, truth)
        if counts.segf1 is None:
            say(f"{run.object_name}: no SegF1, since no pixel is marked and none is to be")
            continue
        scores[run.object_name] = counts.segf1
        say(f"{run.object_name}: SegF1 {100 * counts.segf1:.2f} %")
    if scores:
        say(f"mean of {len(scores)} objects: SegF1 {100 * mean(scores.values()):.2f} %")
    return scores
