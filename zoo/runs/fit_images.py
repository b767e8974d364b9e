"""`zoo.fit`: folders of somebody's own images become a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.listing import find_images, object_name
from zoo.runs.documents import read_metrics
from zoo.runs.folder import check_free
from zoo.utils.errors import ZooError

if TYPE_CHECKING:
    from zoo.recipes.experiment import Keep
    from zoo.runs.run import Run


def fit(
    recipe: str | Path,
    *,
    normal: str | Path,
    anomalous: str | Path | None = None,
    masks: str | Path | None = None,
    out: str | Path = "detector",
    max_normal: int = 500,
    seed: int = 0,
    keep: Keep = "model",
    overrides: Mapping[str, Any] | None = None,
    typed: Iterable[str] = (),
    command: str = "zoo train --config config.yaml",
    say: Callable[[str], None] = lambda text: None,
    log: Callable[[str], None] = lambda text: None,
) -> Run:
    """Learn from a folder of normal images, calibrate, and evaluate anomalous ones.

    Args:
        recipe: Name of a recipe, such as patchcore/embedded, or a YAML file.
        normal: Folder of normal images, whatever they are called.
        anomalous: Folder of anomalous ones, only to measure with; 15 % of the normal images are
            then held out to test beside them.
        masks: Folder of masks of the anomalous images: 7.png marks 7.jpg.
        out: Folder of the run; one of the same object gives way to it.
        max_normal: Normal images to use at most.
        seed: Decides which images are drawn, and of all generators.
        keep: "model", or "maps" for all score maps besides.
        overrides: Settings in the place of the recipe's, such as {"model.image_size": 512}.
        typed: Names of classes that a person typed: they are imported, whatever they are.
        command: What a person types to repeat it, for the record.
        say: Receives what is being done, again and again.
        log: Receives what a person should know, once.

    Returns:
        The run: `run.load().predict(image)`, `run.metrics`, `run.calibrate()`, `run.export()`.

    Raises:
        ZooError: A folder is missing or empty, the recipe is not valid, or the run would be written
            where it must not.
    """
    given = {"good": normal, "bad": anomalous, "masks": masks}
    folders = {key: Path(path) for key, path in given.items() if path is not None}
    check_folders(folders, Path(out))

    from zoo.recipes.experiment import load
    from zoo.runs.run import run

    experiment = load(
        recipe,
        data={
            "class_path": "zoo.data.ImageFolders",
            # Absolute: config.yaml replays from anywhere.
            "init_args": {
                **{key: str(path.absolute()) for key, path in folders.items()},
                "max_good": max_normal,
                "seed": seed,
            },
        },
        seed=seed,
        overrides=overrides,
        typed=typed,
        folder=Path(out),
        keep=keep,
        command=command,
    )
    return run(experiment, say=say, log=log)


def check_folders(folders: Mapping[str, Path], out: Path) -> None:
    """Check that there are images, and that nothing of somebody's is in the way of the run.

    Raises:
        ZooError: A folder is missing or empty, or the run would be written where it must not.
    """
    check_free(out)
    for folder in folders.values():
        if out.resolve().is_relative_to(folder.resolve()):
            raise ZooError(
                f"{out} lies in {folder}, and what is written there would count as images the next "
                "time: give --out a folder elsewhere"
            )
        find_images(folder)
    name, older = object_name(folders["good"]), read_metrics(out)
    if older is not None and older["object"] != name:
        raise ZooError(
            f"{out} holds a detector of '{older['object']}', this would be one of '{name}': give "
            "--out another folder, or remove that one"
        )
