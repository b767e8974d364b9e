"""Experiments that name no data that is there: for estimates and executors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.recipes.experiment import Experiment


def fake_experiment(
    recipe: str = "a",
    object_name: str = "x",
    seed: int = 0,
    out: str | Path = "runs",
    root: str | Path = "data",
    **options: Any,
) -> Experiment:
    """Return an experiment of a method and data that nobody builds."""
    return Experiment(
        recipe=recipe,
        object_name=object_name,
        seed=seed,
        model={"class_path": "zoo_plugins.patchcore.ZooPatchcore", "init_args": {}},
        data={
            "class_path": "zoo.data.datamodule.MVTecAD2Layout",
            "init_args": {"root": str(root), "category": object_name},
        },
        folder=Path(out) / recipe / object_name / f"seed{seed}",
        **options,
    )
