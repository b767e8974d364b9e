"""Score maps of normal images, made anew by a finished run: its own images, or given pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anomalib.data import AnomalibDataModule

from zoo.data.native import TRAIN, VALIDATION, NativeDataModule
from zoo.data.stock import adopt
from zoo.detector import Detector
from zoo.errors import ZooError
from zoo.judging import Judge
from zoo.post.calibration import NO_THRESHOLD
from zoo.post.scenes import Scenes
from zoo.post.spool import ScoreMapSpool
from zoo.runs.check import check_run
from zoo.runs.counted import counted
from zoo.runs.load import build, load_model, read_config, reason
from zoo.runs.scenes import scenes

_MEND = "give pictures with --good DIR"


@contextmanager
def normal_maps(
    folder: Path,
    good: list[Path] | None = None,
    device: str | None = None,
    needs: Set[str] = frozenset(),
) -> Iterator[Scenes]:
    """Give raw score maps of normal images at native size, and of what a rule needs besides.

    Args:
        folder: Folder of a run.
        good: Pictures to score; by default the images that the run was calibrated on.
        device: Where the model runs.
        needs: Whether they are relit or painted on too, see `Rule.needs`.

    Raises:
        ZooError: The images are gone or changed, or the model has learned from those given.
    """
    paths = normal_pictures(folder, read_config(folder), good)
    with maps_of(Detector(load_model(folder, device), NO_THRESHOLD), paths, needs) as made:
        yield made


@contextmanager
def maps_of(judge: Judge, paths: Sequence[Path], needs: Set[str] = frozenset()) -> Iterator[Scenes]:
    """Give what a judge says about normal pictures: raw maps, as in `normal_maps`.

    Args:
        judge: A fitted model, or a graph that was exported from one.
        paths: The pictures.
        needs: Whether they are relit or painted on too, see `Rule.needs`.
    """
    with ScoreMapSpool() as spool:
        for scored in counted(judge.scored(paths), len(paths), "normal pictures"):
            spool.append(scored.score_map, scored.native_size, scored.score)
        with scenes(judge, paths, spool, needs) as made:
            yield made


def normal_pictures(
    folder: Path, config: dict[str, Any], good: list[Path] | None = None
) -> list[Path]:
    """Return pictures that may set thresholds: those given, or the run's own.

    Raises:
        ZooError: The images are gone or changed, or the model has learned from those given.
    """
    if good is None:
        return own_images(folder, config)
    _check_not_learned(folder, config, good)
    return good


def own_images(folder: Path, config: dict[str, Any]) -> list[Path]:
    """Return the images that a run was calibrated on when it was fitted.

    Raises:
        ZooError: They are gone, or others would be drawn today.
    """
    try:
        datamodule = datamodule_of(config)
        listed = datamodule.listed(VALIDATION)
        fingerprint = datamodule.fingerprint()
    except ZooError as error:
        raise ZooError(f"the images of run {folder} are not there ({error}): {_MEND}") from error
    if check_run(folder).get("data_fingerprint", fingerprint) != fingerprint:
        raise ZooError(
            f"the images of run {folder} have changed since it was fitted, so that some it learned "
            f"from could be among those for the threshold: {_MEND}"
        )
    return [sample.image_path for sample in listed]


def _check_not_learned(folder: Path, config: dict[str, Any], good: list[Path]) -> None:
    """Refuse training images: a method knows them too well to be surprised by anything normal."""
    try:
        learned = {sample.image_path.resolve() for sample in datamodule_of(config).listed(TRAIN)}
    except ZooError:  # gone, so that none of them can be given
        return
    known = [path for path in good if path.resolve() in learned]
    if known:
        raise ZooError(
            f"{len(known)} of {len(good)} pictures are some that run {folder} learned from, such "
            f"as {known[0]}: they say nothing about new ones; give others, or leave --good out"
        )


def datamodule_of(config: dict[str, Any]) -> NativeDataModule:
    """Return the data that a run's configuration describes.

    Raises:
        ZooError: It cannot be built.
    """
    try:
        return adopt(
            build(AnomalibDataModule, "data", config["data"]), config.get("seed_everything") or 0
        )
    except ZooError:
        raise
    except Exception as error:  # whoever wrote it, it may have changed in any way
        raise ZooError(reason(error)) from error
