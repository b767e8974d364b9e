"""Finished runs judged on `test_public`: SegF1 of their own masks, pooled over all pixels.

For a last look, never for a choice: VAND 4.0 lets `test_public` decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from zoo.data import layout
from zoo.runs.counted import counted
from zoo.runs.evaluate import SplitEvaluation
from zoo.runs.load import load
from zoo.submission.runs import ObjectRun

SPLIT = "test_public"


def judge_public(
    runs: Sequence[ObjectRun],
    root: Path,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float | None]:
    """Return SegF1 per object, and say it line by line with the mean at the end.

    Args:
        runs: One run per object.
        root: The data set.
        device: Where models run.
        say: Receives the lines.
    """
    scores: dict[str, float | None] = {}
    for run in runs:
        listed = layout.samples(root, run.object_name, SPLIT)
        detector, evaluation = load(run.folder, device), SplitEvaluation()
        predicted = detector.predict(sample.image_path for sample in listed)
        pairs = zip(listed, predicted, strict=True)
        for sample, prediction in counted(pairs, len(listed), run.object_name):
            truth = sample.truth(prediction.mask.shape)
            evaluation.counts.update(prediction.mask, truth)
        scores[run.object_name] = evaluation.counts.segf1
        say(f"{run.object_name}: SegF1 {_percent(scores[run.object_name])}")
    known = [score for score in scores.values() if score is not None]
    mean = sum(known) / len(known) if known else None
    say(f"mean of {len(known)} objects: SegF1 {_percent(mean)}")
    return scores


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{100 * score:.2f} %"
