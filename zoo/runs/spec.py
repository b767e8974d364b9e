"""One planned run: its command line, its hash, its folder, and how it is carried out."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jsonargparse._util import import_object

from zoo import __version__
from zoo.command import ZooCLI
from zoo.data.native import NativeDataModule
from zoo.data.stock import adopt
from zoo.registry import methods
from zoo.runs.execute import Say, execute
from zoo.runs.folder import CONFIG, MODEL, appearing, config_hash, is_finished, read_metrics
from zoo.runs.maps import FOLDER as MAPS
from zoo.training.resume import ResumePoint

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
    """

    recipe: str
    words: tuple[str, ...]
    command: str
    object_name: str
    seed: int
    splits: tuple[str, ...]
    data_fingerprint: str
    folder: Path

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
            splits=self.splits,
            data=self.data_fingerprint,
            zoo=__version__,
            code=code_fingerprint(command.settings["model"]["class_path"]),
            threads=torch.get_num_threads(),
        )

    def finished(self, command: ZooCLI) -> dict[str, Any] | None:
        """Return the metrics of this very run if it was finished before."""
        kept = _KEPT[command.settings["keep"]]
        done = is_finished(self.folder, self.hash(command), kept)
        return read_metrics(self.folder) if done else None

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
        facts = {
            "recipe": self.recipe,
            "method": method_name(type(command.model)),
            "object": self.object_name,
            "seed": self.seed,
            "data_fingerprint": self.data_fingerprint,
            "config_hash": run_hash,
            "command": self.command,
        }
        resume = ResumePoint.beside(self.folder, run_hash)
        with appearing(self.folder) as folder:
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


def code_fingerprint(class_path: str) -> str:
    """Return 16 hex digits that change when the source of a class's package folder changes.

    So an author who edits a method is not told that its runs are finished.
    """
    source = Path(inspect.getfile(import_object(class_path)))
    package = source.with_name("__init__.py").is_file()
    files = sorted(source.parent.glob("*.py")) if package else [source]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}:".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def method_name(model_class: type) -> str:
    """Return the registered name of a class, or the class name of a stock anomalib model."""
    for name, method in methods().items():
        if method.class_name == model_class.__name__:
            return name
    return model_class.__name__


def splits_text(splits: Sequence[str], metrics: dict[str, Any]) -> str:
    """Return `SegF1 private 0.530, ...`, or image AUROC where no mask is known, in one line."""
    parts = []
    for split in splits:
        values = metrics["splits"][split]
        name = split.removeprefix("test_")
        if values["segf1"] is None and values["image_auroc"] is not None:
            parts.append(f"{name} image AUROC {values['image_auroc']:.3f}")
        else:
            segf1 = values["segf1"]
            parts.append(f"{name} SegF1 {'-' if segf1 is None else f'{segf1:.3f}'}")
    return ", ".join(parts) or "no test images"
