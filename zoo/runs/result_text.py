"""The figures of a run in one line, for progress displays."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.data.splits import PRIVATE_SPLITS
from zoo.runs.documents import Metrics, is_scored

SERVER = "server"  # who alone can score a split whose truth is withheld


def result_text(metrics: Metrics, splits: Sequence[str] | None = None) -> str:
    """Return `private SegF1 0.530, ...; VAND 4 yes`, or image AUROC where no mask is known."""
    parts = []
    for split in metrics["splits"] if splits is None else splits:
        values = metrics["splits"][split]
        name, segf1 = split.removeprefix("test_"), values["segf1"]
        if segf1 is None and values["image_auroc"] is not None:
            parts.append(f"{name} image AUROC {values['image_auroc']:.3f}")
        else:
            is_withheld = split in PRIVATE_SPLITS and not is_scored(values)
            unknown = SERVER if is_withheld else "-"
            parts.append(f"{name} SegF1 {unknown if segf1 is None else f'{segf1:.3f}'}")
    text = ", ".join(parts) or "no test images"
    admissible = metrics.get("vand4_admissible")
    return f"{text}; VAND 4 {admissible}" if admissible else text
