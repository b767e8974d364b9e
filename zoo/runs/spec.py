"""One planned run: its command line, its hash, its folder, and how it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo import __version__
from zoo.command import ZooCLI
from zoo.data.datamodule import MVTecAD2Layout
from zoo.errors import ZooError
from zoo.registry import methods
from zoo.runs.execute import Say, execute
from zoo.runs.folder import appearing, config_hash, is_finished, read_metrics, run_folder


@dataclass(frozen=True)
class RunSpec:
    """One recipe on one object with one seed.

    Attributes:
        recipe: Name of the recipe, such as patchcore/embedded.
        slug: The same as a folder's name.
        words: Command line of `zoo train` that says the same.
        command: What repeats this run, for the record.
        object_name: The object.
        seed: The seed.
        splits: Test splits to judge.
        data_fingerprint: Of the object's files.
        out: Folder of all runs.
    """

    recipe: str
    slug: str
    words: tuple[str, ...]
    command: str
    object_name: str
    seed: int
    splits: tuple[str, ...]
    data_fingerprint: str
    out: Path

    @property
    def folder(self) -> Path:
        """Where the finished run lies."""
        return run_folder(self.out, self.slug, self.object_name, self.seed)

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
            threads=torch.get_num_threads(),
        )

    def finished(self, command: ZooCLI) -> dict[str, Any] | None:
        """Return the metrics of this very run if it was finished before."""
        return read_metrics(self.folder) if is_finished(self.folder, self.hash(command)) else None

    def run(self, command: ZooCLI, say: Say) -> dict[str, Any]:
        """Carry the run out; its folder appears when everything in it is written."""
        run_hash = self.hash(command)
        command.instantiate()
        if not isinstance(command.datamodule, MVTecAD2Layout):
            name = type(command.datamodule).__name__
            raise ZooError(f"recipe '{self.recipe}' reads data with {name}; use MVTecAD2Layout")
        facts = {
            "recipe": self.recipe,
            "method": method_name(type(command.model)),
            "object": self.object_name,
            "seed": self.seed,
            "config_hash": run_hash,
            "command": self.command,
        }
        with appearing(self.folder) as folder:
            (folder / "config.yaml").write_text(command.settings_yaml, encoding="utf-8")
            return execute(
                command.model,
                command.datamodule,
                command.trainer_settings,
                self.splits,
                facts,
                folder,
                say,
                command.settings.get("ckpt_path"),
            )


def method_name(model_class: type) -> str:
    """Return the registered name of a class, or the class name of a stock anomalib model."""
    for name, method in methods().items():
        if method.class_name == model_class.__name__:
            return name
    return model_class.__name__


def train_words(config: str, root: Path, object_name: str, seed: int, out: Path) -> tuple[str, ...]:
    """Return the `zoo train` command line of one run of a recipe."""
    return (
        "train",
        *("--config", config),
        *("--data.root", str(root)),
        *("--data.category", object_name),
        *("--seed_everything", str(seed)),
        *("--default_root_dir", str(out)),
    )


def splits_text(splits: Sequence[str], metrics: dict[str, Any]) -> str:
    """Return `private .53 ...`: SegF1 per split in one line."""
    parts = []
    for split in splits:
        value = metrics["splits"][split]["segf1"]
        parts.append(f"{split.removeprefix('test_')} {'-' if value is None else f'{value:.3f}'}")
    return "SegF1 " + ", ".join(parts)
