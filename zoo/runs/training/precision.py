"""Half precision where there is a graphics card that is good at it, and nowhere else."""

from __future__ import annotations

from typing import Any

import torch
from anomalib.models import AnomalibModule


def with_precision(settings: dict[str, Any], model: AnomalibModule) -> dict[str, Any]:
    """Return trainer settings with bfloat16 autocast if the method bears it and a GPU has it.

    A method says so with a class attribute `mixed_precision = True`. A precision that a recipe or a
    person names is left alone. On a CPU autocast is slower than float32 more often than not.

    Args:
        settings: Of the lightning trainer.
        model: The method.
    """
    wanted = getattr(model, "mixed_precision", False) and settings.get("precision") is None
    on_gpu = settings.get("accelerator", "auto") in ("auto", "gpu", "cuda")
    if wanted and on_gpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return {**settings, "precision": "bf16-mixed"}
    return settings
