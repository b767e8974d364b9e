"""Score maps of normal images, made anew by a finished run: its own images, or given ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from anomalib.data import AnomalibDataModule

from zoo.data.datamodule import MVTecAD2Layout, NativeDataModule
from zoo.data.known_images import check_no_test_folder, find_known, images_of_tests
from zoo.data.splits import TRAIN, VALIDATION
from zoo.data.stock import adopt
from zoo.postprocess.calibration import NO_THRESHOLD
from zoo.postprocess.score_maps import Scenes, ScoreMapSpool
from zoo.predict.predictor import Predictor
from zoo.predict.scenes import scenes
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.language import build_section
from zoo.runs.check import check_run
from zoo.runs.rebuild import load_model, read_config, reason
from zoo.utils.errors import ZooError
from zoo.utils.progress import counted

_REPAIR = "give images with --good DIR"


@contextmanager
def normal_maps(
    folder: Path,
    normal: list[Path] | None = None,
    device: str | None = None,
    needs: Set[str] = frozenset(),
) -> Iterator[Scenes]:
    """Give raw score maps of normal images at native size, and of what a rule needs besides.

    Args:
        folder: Folder of a run.
        normal: Images to score; by default the images that the run was calibrated on.
        device: Where the model runs.
        needs: Whether they are relit or painted on too, see `Rule.needs`.

    Raises:
        ZooError: The images are gone or changed, or those given were learned from or are for tests.
    """
    paths = threshold_images(folder, read_config(folder), normal)
    no_threshold = replace(NO_THRESHOLD, bit_depth=check_run(folder).get("bit_depth"))
    with maps_of(TorchPredictor(load_model(folder, device), no_threshold), paths, needs) as made:
        yield made


@contextmanager
def maps_of(
    predictor: Predictor, paths: Sequence[Path], needs: Set[str] = frozenset()
) -> Iterator[Scenes]:
    """Give raw maps of normal images, as in `normal_maps`.

    Args:
        predictor: A fitted model, or a graph that was exported from one.
        paths: The images.
        needs: Whether they are relit or painted on too, see `Rule.needs`.
    """
    with ScoreMapSpool() as spool:
        for scored in counted(predictor.scored(paths), len(paths), "normal images"):
            spool.append(scored.score_map, scored.native_size)
        with scenes(predictor, paths, spool, needs) as made:
            yield made


def threshold_images(
    folder: Path, config: dict[str, Any], normal: list[Path] | None = None
) -> list[Path]:
    """Return images that may set thresholds: those given, or the run's own.

    Raises:
        ZooError: The images are gone or changed, or those given were learned from or are for tests.
    """
    if normal is None:
        return own_images(folder, config)
    _check_unknown(folder, config, normal)
    return normal


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
        raise ZooError(f"the images of run {folder} are not there ({error}): {_REPAIR}") from error
    if check_run(folder).get("data_fingerprint", fingerprint) != fingerprint:
        raise ZooError(
            f"the images of run {folder} have changed since it was fitted, so that some it learned "
            f"from could be among those for the threshold: {_REPAIR}"
        )
    return [sample.image_path for sample in listed]


def _check_unknown(folder: Path, config: dict[str, Any], normal: list[Path]) -> None:
    """Refuse training images, which a method knows too well, and test images, by their pixels."""
    check_no_test_folder(normal)
    learned, tested = _learned_and_tested(config)
    known = find_known(normal, [*learned, *tested])
    if not known:
        return
    found = next((path for path in known if known[path] in learned), None)
    if found is not None:
        n_known = sum(path in learned for path in known.values())
        raise ZooError(
            f"{n_known} of {len(normal)} images are some that run {folder} learned from, such "
            f"as {found}: they tell nothing about new ones; give others, or leave --good out"
        )
    found = next(iter(known))
    raise ZooError(
        f"{len(known)} of {len(normal)} images are test images, such as {found}, which is "
        f"{known[found]}: test images set no threshold; give others, or leave --good out"
    )


def _learned_and_tested(config: dict[str, Any]) -> tuple[set[Path], set[Path]]:
    """Return the images that a run learned from, and all that test it or its data set's objects."""
    try:
        datamodule = datamodule_of(config)
        learned = {sample.image_path for sample in datamodule.listed(TRAIN)}
    except ZooError:  # gone, so that none of them can be given
        return set(), set()
    tested: set[Path] = set()
    for split in datamodule.test_splits():
        with suppress(ZooError):  # a mask may be missing: `images_of_tests` needs none
            tested |= {sample.image_path for sample in datamodule.listed(split)}
    if isinstance(datamodule, MVTecAD2Layout):
        tested |= set(images_of_tests(datamodule.root))
    return learned, tested - learned


def datamodule_of(config: dict[str, Any]) -> NativeDataModule:
    """Return the data that a run's configuration describes.

    Raises:
        ZooError: It cannot be built.
    """
    try:
        return adopt(
            build_section(AnomalibDataModule, "data", config["data"]),
            config.get("seed_everything") or 0,
        )
    except ZooError:
        raise
    except Exception as error:  # whoever wrote it, it may have changed in any way
        raise ZooError(reason(error)) from error
