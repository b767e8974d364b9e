"""`zoo.fit` and `zoo.load`: folders of images become a run; a run or a graph, a predictor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.listing import find_images, object_name
from zoo.runs.documents import read_metrics
from zoo.runs.folder import check_free
from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_home

if TYPE_CHECKING:
    from zoo.predict.predictor import Predictor
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
    report: Callable[[str], None] = lambda text: None,
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
        report: Receives what is being done, again and again.
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
    return run(experiment, report=report, log=log)


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


def is_graph(path: Path) -> bool:
    """Whether a path names an exported graph, and no folder."""
    return path.suffix in (".onnx", ".xml") and not path.is_dir()


def load(path: str | Path, device: str | None = None, trust: bool = False) -> Predictor:
    """Return a predictor of a run or of a graph; a graph needs no torch, and imports none.

    Args:
        path: Folder of a finished run, or an `.onnx` or `.xml` (OpenVINO) file of `zoo export`.
        device: Where to run: "cpu" or "cuda:1" for a run, by default a graphics card if there is
            one; "cpu", "gpu" or "auto" for OpenVINO, "cpu" by default.
        trust: Import whatever package the run's configuration names.

    Raises:
        ZooError: No run, one without a model or of another version, or one that names strange code;
            or no graph of ours.

    Example:
        >>> predictor = zoo.load("runs/patchcore-embedded/part/seed0")  # doctest: +SKIP
        >>> predictor.predict("photo.png").is_anomalous  # doctest: +SKIP
        False
    """
    place = expand_home(path)
    if is_graph(place):
        from zoo.predict.graph import GraphPredictor

        return GraphPredictor(place, (device or "cpu").upper())

    from zoo.runs.rebuild import load_run

    return load_run(place, device, trust)
