"""The lightning callbacks of a run's training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anomalib.models import AnomalibModule
from lightning.pytorch import Callback

from zoo.methods.progress import SayProgress
from zoo.runs.training.divergence import StopAtDivergence
from zoo.runs.training.resume import KeepState, ResumePoint


def training_callbacks(
    say: Callable[[str], None], resume: ResumePoint | None = None
) -> list[Callback]:
    """Return what watches over a training: progress, divergence and, if wanted, its state.

    Args:
        say: Receives what is being done.
        resume: Where the state is kept.
    """
    callbacks: list[Callback] = [
        SayProgress(say),
        StopAtDivergence(resume.path if resume else None),  # before a state with NaN is kept
    ]
    return [*callbacks, KeepState(resume)] if resume else callbacks


def learns_long(model: AnomalibModule, settings: dict[str, Any]) -> bool:
    """Whether a fit takes more than the one pass over the images that reads them anyway."""
    return {**settings, **model.trainer_arguments}.get("max_epochs") != 1
