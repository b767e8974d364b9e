"""Anomalib's engine for runs: it writes nowhere but into the run's folder, and only what we say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomalib.engine import Engine
from lightning.pytorch import Callback
from lightning.pytorch.cli import SaveConfigCallback


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
