"""Anomalib's engine without symbolic links: those need rights on Windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomalib.engine import Engine
from anomalib.models import AnomalibModule


class ZooEngine(Engine):
    """Writes below `<root>/<Model>/<Dataset>/<object>/v<N>`: a new N per fit, the last one else."""

    def _setup_workspace(
        self,
        model: AnomalibModule,
        *args: Any,
        datamodule: Any = None,
        dataset: Any = None,
        versioned_dir: bool = False,
        **kwargs: Any,
    ) -> None:
        data = datamodule if datamodule is not None else dataset
        names = [model.name, getattr(data, "name", None), getattr(data, "category", None)]
        folder = Path(self._cache.args["default_root_dir"]).joinpath(*filter(None, names))
        numbers = [int(path.name[1:]) for path in folder.glob("v*") if path.name[1:].isdigit()]
        last = max(numbers, default=-1)
        number = last + 1 if versioned_dir else max(last, 0)
        self._cache.args["default_root_dir"] = folder / f"v{number}"
