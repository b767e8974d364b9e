"""`zoo train` and `zoo fit`: one run from a command line, written like those of `zoo bench`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.data import layout
from zoo.data.datamodule import MVTecAD2Layout
from zoo.data.native import NativeDataModule
from zoo.data.stock import adopt
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.false_alarms import FalseAlarms
from zoo.recipes.command import ZooCLI
from zoo.recipes.files import find_recipe
from zoo.runs.folder import CALIBRATION, run_folder
from zoo.runs.spec import RunSpec, result_text
from zoo.utils.lock import locked
from zoo.utils.progress import GridProgress, duration


def train(command: ZooCLI) -> tuple[Path, dict[str, Any]]:
    """Carry out what a `zoo train` describes, and say what came out; see `carry_out`."""
    folder, metrics = carry_out(command)
    print(result_text(list(metrics["splits"]), metrics))
    print(Calibration.load(folder / CALIBRATION).describe())
    if metrics["expected_false_alarms"]:
        print(FalseAlarms.from_dict(metrics["expected_false_alarms"]).describe())
    print(f"written to {folder}")
    return folder, metrics


def carry_out(
    command: ZooCLI, folder: Path | None = None, said: str = ""
) -> tuple[Path, dict[str, Any]]:
    """Fit, calibrate and judge what a command line describes.

    Args:
        command: A parsed `train`.
        folder: Where to write the run; below `default_root_dir` by default.
        said: The command to record, if it was another.

    Returns:
        The run's folder and its metrics.

    Raises:
        ZooError: Data, method or maps are not usable, or another process writes the same run.
    """
    settings = command.settings
    data_settings = settings["data"].get("init_args") or {}
    if folder is None and "root" in data_settings and _is_layout(command):
        layout.check_object(data_settings.root, data_settings.category)  # before the model is built
    command.instantiate()
    seed = settings["seed_everything"]
    datamodule = adopt(command.datamodule, seed)
    configs = settings.get("config") or []
    recipe = find_recipe(str(configs[0])) if configs else None
    name = recipe.name if recipe else type(command.model).__name__
    slug = recipe.slug if recipe else name
    out = Path(settings["default_root_dir"])
    spec = RunSpec(
        recipe=name,
        words=(),
        command=said or "zoo train --config config.yaml",
        object_name=datamodule.object_name,
        seed=seed,
        splits=tuple(_splits(datamodule)),
        data_fingerprint=datamodule.fingerprint(),
        folder=folder or run_folder(out, slug, datamodule.object_name, seed),
    )
    if datamodule.bit_depth is not None:
        print(
            f"16-bit images are read as {datamodule.bit_depth} bits, which the normal ones fill; "
            "--data.bit_depth N sets another depth"
        )
    for notice in getattr(datamodule, "notices", []):
        print(notice)
    return spec.folder, _run(spec, command, datamodule)


def _run(spec: RunSpec, command: ZooCLI, datamodule: NativeDataModule) -> dict[str, Any]:
    progress = GridProgress(1)
    progress.begin(0, spec.label)
    begin = time.perf_counter()
    try:
        with locked(spec.folder):
            metrics = spec.run(command, progress.say, datamodule)
    except Exception:
        progress.end("failed")  # the error has a line of its own, also on a terminal
        raise
    finally:
        progress.close()
    progress.end(f"done in {duration(time.perf_counter() - begin)}")
    return metrics


def _is_layout(command: ZooCLI) -> bool:
    return command.settings["data"].class_path.rpartition(".")[2] == MVTecAD2Layout.__name__


def _splits(datamodule: NativeDataModule) -> Sequence[str]:
    """Return what is judged: the test split that was asked for, or all there are."""
    if isinstance(datamodule, MVTecAD2Layout):
        wanted = [datamodule.test_split]
        return layout.check_splits(datamodule.root, datamodule.category, wanted)
    return datamodule.test_splits()
