"""`zoo train` on data in our layout: one run, written like those of `zoo bench`."""

from __future__ import annotations

from pathlib import Path

from zoo.command import ZooCLI
from zoo.data import layout
from zoo.post.calibration import Calibration
from zoo.recipes import find_recipe
from zoo.runs.progress import GridProgress
from zoo.runs.spec import RunSpec, splits_text


def train(command: ZooCLI) -> int:
    """Fit, calibrate and judge what a command line describes; return the exit code."""
    settings = command.settings
    data = settings["data"].init_args
    object_name = layout.check_object(data.root, data.category)
    configs = settings.get("config") or []
    out = Path(settings["default_root_dir"])
    recipe = find_recipe(str(configs[0])) if configs else None
    model_class = settings["model"].class_path.rsplit(".", 1)[-1]
    spec = RunSpec(
        recipe=recipe.name if recipe else model_class,
        slug=recipe.slug if recipe else model_class,
        words=(),
        command="zoo train --config config.yaml",
        object_name=object_name,
        seed=settings["seed_everything"],
        splits=tuple(layout.check_splits(data.root, object_name, [data.test_split])),
        data_fingerprint=layout.fingerprint(data.root, object_name),
        out=out,
    )
    progress = GridProgress(1)
    progress.begin(0, spec.label)
    try:
        metrics = spec.run(command, progress.say)
    finally:
        progress.close()
    progress.end(splits_text(spec.splits, metrics))
    print(Calibration.load(spec.folder / "calibration.json").describe())
    print(f"written to {spec.folder}")
    return 0
