"""A run's training: anomalib's engine, progress, divergence, half precision where it pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from anomalib.engine import Engine
from anomalib.models import AnomalibModule
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback

from zoo.methods.method import hooks_of
from zoo.methods.training import FitProgress, loss_of
from zoo.runs.resume import KeepState, ResumePoint
from zoo.utils.errors import ZooError

Report = Callable[[str], None]


def silent(text: str) -> None:
    """Receive a message and do nothing with it."""


class RunEngine(Engine):
    """An `Engine` without versioned folders, symbolic links and checkpoints of its own.

    Args:
        settings: Trainer settings as anomalib's command line made them.
        folder: Where the trainer may write.
        callbacks: Ours, besides those of the settings.
    """

    def __init__(
        self, settings: dict[str, Any], folder: Path, callbacks: Sequence[Callback] = ()
    ) -> None:
        settings = dict(settings)
        given = settings.pop("callbacks", None) or []
        given = [c for c in given if not isinstance(c, SaveConfigCallback)]
        settings["callbacks"] = [*given, *callbacks]
        settings["default_root_dir"] = Path(folder)
        settings["enable_checkpointing"] = False  # the run saves its model once it is calibrated
        settings.setdefault("logger", False)
        for quiet in ("enable_progress_bar", "enable_model_summary"):
            if settings.get(quiet) is None:
                settings[quiet] = False
        super().__init__(**settings)

    def _setup_workspace(self, *args: Any, **kwargs: Any) -> None: ...

    def _setup_anomalib_callbacks(self) -> None: ...


def training_callbacks(report: Report, resume: ResumePoint | None = None) -> list[Callback]:
    """Return what watches over a training: progress, divergence and, if wanted, its state.

    Args:
        report: Receives what is being done.
        resume: Where the state is kept.
    """
    callbacks: list[Callback] = [
        FitProgress(report),
        StopAtDivergence(resume.path if resume else None),  # before a state with NaN is kept
    ]
    return [*callbacks, KeepState(resume)] if resume else callbacks


def learns_long(model: AnomalibModule, settings: dict[str, Any]) -> bool:
    """Whether a fit takes more than the one pass over the images that reads them anyway."""
    return {**settings, **model.trainer_arguments}.get("max_epochs") != 1


class StopAtDivergence(Callback):
    """Raises after the first step whose loss is NaN or infinite.

    Args:
        checkpoint: Where `zoo.runs.resume` keeps the last good state; named in the error.
    """

    def __init__(self, checkpoint: Path | None = None) -> None:
        self.checkpoint = checkpoint

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the loss of one step."""
        loss = loss_of(outputs)
        if loss is None or math.isfinite(loss):
            return
        kept = ""
        if self.checkpoint is not None and self.checkpoint.is_file():
            kept = f"; the last good state is kept in {self.checkpoint}"
        raise ZooError(
            f"the loss is {loss} in epoch {trainer.current_epoch + 1}, batch {batch_idx + 1} (step "
            f"{trainer.global_step}): training diverged; lower the learning rate{kept}"
        )


def with_precision(settings: dict[str, Any], model: AnomalibModule) -> dict[str, Any]:
    """Return trainer settings with bfloat16 autocast if the method bears it and a GPU has it.

    A method says so with its hook `mixed_precision`. A precision that a recipe or a
    person names is left alone. On a CPU autocast is slower than float32 more often than not.

    Args:
        settings: Of the lightning trainer.
        model: The method.
    """
    wanted = hooks_of(model).mixed_precision and settings.get("precision") is None
    on_gpu = settings.get("accelerator", "auto") in ("auto", "gpu", "cuda")
    if wanted and on_gpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return {**settings, "precision": "bf16-mixed"}
    return settings
