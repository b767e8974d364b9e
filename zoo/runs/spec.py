"""One planned run: its command line, its hash, its folder, and how it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from anomalib.models import AnomalibModule

from zoo import __version__
from zoo.data.native import NativeDataModule
from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.data.stock import adopt
from zoo.methods.admissibility import run_admissible
from zoo.methods.registry import Method, methods
from zoo.recipes.command import ZooCLI
from zoo.runs.code import code_facts
from zoo.runs.damage import damage
from zoo.runs.documents import is_scored
from zoo.runs.execute import Say, execute
from zoo.runs.folder import (
    ATTESTATION,
    CONFIG,
    MODEL,
    atomic_folder,
    is_finished,
    read_metrics,
)
from zoo.runs.identity import config_hash, settings_hash
from zoo.runs.maps import FOLDER as MAPS
from zoo.runs.training.resume import ResumePoint
from zoo.utils.names import check_name, check_recipe_name

SERVER = "server"  # who alone can score a split whose truth is withheld
_KEPT = {"model": (MODEL,), "maps": (MODEL, MAPS), "none": ()}


@dataclass(frozen=True)
class RunSpec:
    """One recipe on one object with one seed.

    Attributes:
        recipe: Name of the recipe, such as patchcore/embedded.
        words: Command line of `zoo train` that says the same.
        command: What repeats this run, for the record.
        object_name: The object.
        seed: The seed.
        splits: Test splits to judge.
        data_fingerprint: Of the object's files.
        folder: Where the finished run lies.
        is_sealed: Whether fit and calibration see nothing but train and validation, for the record.
        threads: Torch threads to compute with; those of the process by default.
        n_images: Of the object, 0 if unknown: a measure of the work on every machine.
    """

    recipe: str
    words: tuple[str, ...]
    command: str
    object_name: str
    seed: int
    splits: tuple[str, ...]
    data_fingerprint: str
    folder: Path
    is_sealed: bool = False
    threads: int | None = None
    n_images: int = 0

    def __post_init__(self) -> None:
        """Check the names before hours are spent: they become names of folders and stand in files.

        Raises:
            ZooError: One of them is none.
        """
        check_name(self.object_name, "object")
        check_recipe_name(self.recipe)

    @property
    def label(self) -> str:
        """Names the run for people."""
        return f"{self.recipe} · {self.object_name} · seed {self.seed}"

    def parse(self) -> ZooCLI:
        """Check the configuration without building anything."""
        return ZooCLI(self.words, parse_only=True)

    def hash(self, command: ZooCLI) -> str:
        """Return the hash of all that decides the numbers."""
        return config_hash(
            command.settings.as_dict(),
            object=self.object_name,
            seed=self.seed,
            data=self.data_fingerprint,
            zoo=__version__,
            code=code_facts(command.settings.as_dict()),
            threads=self.threads or torch.get_num_threads(),
        )

    def finished(self, command: ZooCLI) -> dict[str, Any] | None:
        """Return the metrics of this very run if it was finished before."""
        kept = _KEPT[command.settings["keep"]] + ((ATTESTATION,) if self.is_sealed else ())
        if not is_finished(self.folder, self.hash(command), kept) or damage(self.folder):
            return None
        metrics = read_metrics(self.folder)
        return metrics if set(self.splits) <= set(metrics.get("splits") or ()) else None

    def with_known_splits(self, command: ZooCLI) -> RunSpec:
        """Return the run with the splits as well that it was judged on before: none gets lost."""
        if not is_finished(self.folder, self.hash(command)):
            return self
        known = (read_metrics(self.folder) or {}).get("splits") or ()
        return replace(self, splits=tuple(sorted({*self.splits, *known}, key=TEST_SPLITS.index)))

    def facts(
        self, command: ZooCLI, model: AnomalibModule, run_hash: str | None = None
    ) -> dict[str, Any]:
        """Return what stands first in `metrics.json`: which run this is, and who admits it."""
        return {
            "recipe": self.recipe,
            "method": method_name(type(model)),
            "object": self.object_name,
            "seed": self.seed,
            "data_fingerprint": self.data_fingerprint,
            "config_hash": run_hash or self.hash(command),
            "settings_hash": settings_hash(command.settings.as_dict()),
            "vand4_admissible": admissible(command, model),
            "command": self.command,
        }

    def run(
        self, command: ZooCLI, say: Say, datamodule: NativeDataModule | None = None
    ) -> dict[str, Any]:
        """Carry the run out; its folder appears when everything in it is written.

        Args:
            command: The parsed command line.
            say: Receives what is being done.
            datamodule: The data, where it was built already.
        """
        run_hash = self.hash(command)
        command.instantiate()
        facts = self.facts(command, command.model, run_hash)
        resume = ResumePoint.beside(self.folder, run_hash)
        with atomic_folder(self.folder) as folder:
            (folder / CONFIG).write_text(command.settings_yaml, encoding="utf-8")
            metrics = execute(
                command.model,
                datamodule or adopt(command.datamodule, self.seed),
                command.trainer_settings,
                self.splits,
                facts,
                folder,
                say,
                command.settings.get("ckpt_path"),
                command.settings["keep"],
                resume,
            )
        resume.clear()
        return metrics


def method_name(model_class: type) -> str:
    """Return the registered name of a class, or the class name of a stock anomalib model."""
    method = _method(model_class)
    return method.name if method else model_class.__name__


def admissible(command: ZooCLI, model: AnomalibModule) -> str:
    """Return whether VAND 4.0 admits what a command does with a model."""
    method, settings = _method(type(model)), command.settings.as_dict()
    return run_admissible(
        method.card if method else None,
        settings["model"],
        getattr(model, "transductive", False),
        command.settings.get("ckpt_path"),
        getattr(model, "outside_images", ""),
        data=settings["data"],
        trainer=settings["trainer"],
    )


def _method(model_class: type) -> Method | None:
    found = (each for each in methods().values() if each.class_name == model_class.__name__)
    return next(found, None)


def result_text(splits: Sequence[str], metrics: dict[str, Any]) -> str:
    """Return what came out and whether VAND 4.0 admits it, in one line."""
    text = splits_text(splits, metrics)
    known = metrics.get("vand4_admissible")
    return f"{text}; VAND 4 {known}" if known else text


def splits_text(splits: Sequence[str], metrics: dict[str, Any]) -> str:
    """Return `SegF1 private 0.530, ...`, or image AUROC where no mask is known, in one line."""
    parts = []
    for split in splits:
        values = metrics["splits"][split]
        name = split.removeprefix("test_")
        if values["segf1"] is None and values["image_auroc"] is not None:
            parts.append(f"{name} image AUROC {values['image_auroc']:.3f}")
        else:
            is_withheld = split in PRIVATE_SPLITS and not is_scored(values)
            unknown = SERVER if is_withheld else "-"
            segf1 = values["segf1"]
            parts.append(f"{name} SegF1 {unknown if segf1 is None else f'{segf1:.3f}'}")
    return ", ".join(parts) or "no test images"
