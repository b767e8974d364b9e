"""A checkpoint of a training now and then, from which the same command goes on after a kill.

It holds the states of all generators beside weights, optimizer and schedule, and is only taken when
no gradient is half gathered, so that an interruption does not change the result.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.utils.atomic import atomic_path, write_text
from zoo.utils.seeding import generator_states, restore_generators

_SUFFIX = ".training"
BLOCK_SECONDS = 60.0
# Saving may take this share of the time, however large the model.
SAVING_SHARE = 0.05


@dataclass(frozen=True)
class ResumePoint:
    """Where the state of an unfinished training lies.

    Attributes:
        folder: Beside the run's folder, and named after it.
        key: Hash of all that decides the run's numbers; a state of another key is thrown away.
    """

    folder: Path
    key: str

    @classmethod
    def beside(cls, run_folder: Path, key: str) -> ResumePoint:
        """Return the one of a run's folder."""
        return cls(run_folder.with_name(run_folder.name + _SUFFIX), key)

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / "last.ckpt"

    @property
    def _key_path(self) -> Path:
        return self.folder / "key.txt"

    def found(self) -> Path | None:
        """Return the checkpoint if there is one of this very run."""
        with contextlib.suppress(OSError):
            if self._key_path.read_text(encoding="utf-8") == self.key and self.path.is_file():
                return self.path
        return None

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Write a checkpoint aside, then let it take the place of the one before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.found() is None:  # no key may ever stand beside the state of another run
            self._key_path.unlink(missing_ok=True)
        with atomic_path(self.path) as aside:
            torch.save(checkpoint, aside)
        write_text(self._key_path, self.key)

    def clear_own(self) -> None:
        """Remove it if it is of this very run."""
        if self.found():
            self.clear()

    def clear(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class KeepState(Callback):
    """Saves the state of a training every minute or so, after a whole optimizer step.

    Args:
        point: Where to.
        block_seconds: Between two checkpoints, at least; longer where saving itself takes long.
            `BLOCK_SECONDS` by default. A shorter training leaves none.
    """

    def __init__(self, point: ResumePoint, block_seconds: float | None = None) -> None:
        self.point = point
        self.block_seconds = BLOCK_SECONDS if block_seconds is None else block_seconds
        self._begin = self._due = time.perf_counter()
        self._step = 0
        self._states: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all generators."""
        return generator_states()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep them until the first batch: what comes before it draws as well."""
        self._states = state_dict

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Begin to count the time of the first block."""
        self._begin, self._step = time.perf_counter(), trainer.global_step
        self._due = self._begin + self.block_seconds

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Put the generators where they were, before the first step after an interruption."""
        if self._states is not None:
            restore_generators(self._states)
            self._states = None

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, and if this batch ended in an optimizer step."""
        stepped, self._step = trainer.global_step != self._step, trainer.global_step
        if stepped and time.perf_counter() >= self._due:
            self._save(trainer, module)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save once more: what follows may fail, and training is what took long."""
        long = time.perf_counter() - self._begin >= self.block_seconds
        if long and trainer.global_step:
            self._save(trainer, module)

    def _save(self, trainer: Trainer, module: LightningModule) -> None:
        if not _learns(trainer, module):  # what a memory bank has gathered is in no checkpoint
            return
        if not is_finite(module):  # the next loss will tell
            return
        begin = time.perf_counter()
        # Not `trainer.save_checkpoint`: a transform unknown to anomalib would come back as none.
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        checkpoint.pop("anomalib_pre_processor_config", None)
        self.point.save(checkpoint)
        now = time.perf_counter()
        self._due = now + max(self.block_seconds, (now - begin) / SAVING_SHARE)


def _learns(trainer: Trainer, module: LightningModule) -> bool:
    """Whether an optimizer has weights of the module; lightning makes an empty one for none."""
    own = {id(parameter) for parameter in module.parameters()}
    groups = (group for optimizer in trainer.optimizers for group in optimizer.param_groups)
    return any(id(parameter) in own for group in groups for parameter in group["params"])


def is_finite(module: LightningModule) -> bool:
    """Whether no parameter holds NaN or infinity."""
    return all(bool(value.isfinite().all()) for value in module.parameters())
