"""Whether VAND 4.0's industrial track admits a run, by its method's card and by its recipe.

What nobody has vouched for counts as no, so that a "yes" can be relied upon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any

from zoo.data.splits import TEST_SPLITS
from zoo.methods.card import Card, vand4_admissible
from zoo.utils.paths import expand_path, file_sha256

YES, NO = "yes", "no: "
# The rules let a fit, and what normal data decides, see train/good and validation/good only.
_GIVEN = "thresholds from given images, and the rules admit train and validation only"
# Whose classes do what their documentation says; a recipe's other ones nobody has vouched for.
_KNOWN = {"zoo", "anomalib", "lightning", "torch", "torchvision", "kornia", "timm"}
_RUNS_ANYTHING = {"Lambda"}  # of known packages
_WHERE = {"pre_processor", "post_processor", "evaluator", "visualizer", "train_augmentations"}
_NAMED_WEIGHTS = {"embedded", "embedded_vit", "hub", "random"}  # everything else is a file


def _digest(path: Path) -> str | None:
    return file_sha256(path) if path.is_file() else None


def admissible(
    card: Card | None,
    model: dict[str, Any],
    transductive: bool | str = False,
    goes_on_from: str | None = None,
    outside_images: str = "",
    digest: Callable[[Path], str | None] = _digest,
    data: dict[str, Any] | None = None,
    trainer: dict[str, Any] | None = None,
) -> str:
    """Return "yes", or "no: " and every reason in one line, of a run by its card and its recipe.

    Args:
        card: The method's card; a stock model has none.
        model: The recipe's model as plain data: `class_path` and `init_args`.
        transductive: See `ZooMethod`.
        goes_on_from: Checkpoint that the fit continued from, if any.
        outside_images: See `ZooMethod`.
        digest: Returns the SHA-256 of a file of weights, None where there is none.
        data: The recipe's data as plain data, where it is known.
        trainer: Arguments of the trainer, where they are known.
    """
    objections = list(_objections(card, model, transductive, goes_on_from, digest))
    objections += _about_data(data or {})
    objections += _foreign(trainer or {}, "trainer", _KNOWN)
    for section in (model, data or {}, trainer or {}):
        objections += [f"reads {text}, a place of test images" for text in _test_places(section)]
    if outside_images:
        objections.append(f"reads {outside_images}, and nobody knows what these images show")
    return _text(list(dict.fromkeys(objections)))


def with_calibration(text: str, given: bool) -> str:
    """Return whether a run is admissible with its present calibration.

    Args:
        text: What `admissible` returned for its fit, or this function for another calibration.
        given: Whether the present calibration is of images that a person gave.

    Example:
        >>> with_calibration("no: transductive", given=True).count(";")
        1
        >>> with_calibration(with_calibration("yes", given=True), given=False)
        'yes'
    """
    objections = [] if text == YES else text.removeprefix(NO).split("; ")
    return _text([reason for reason in objections if reason != _GIVEN] + [_GIVEN] * given)


def _text(objections: list[str]) -> str:
    return f"{NO}{'; '.join(objections)}" if objections else YES


def _objections(
    card: Card | None,
    model: dict[str, Any],
    transductive: bool | str,
    goes_on_from: str | None,
    digest: Callable[[Path], str | None],
) -> Iterator[str]:
    if card is None:
        name = str(model.get("class_path")).rpartition(".")[2]
        yield f"no card says what {name} reads and how it was pretrained"
    else:
        admissible, reason = vand4_admissible(card)
        if not admissible:
            yield reason
        if card.vand4.setting == "zero_shot":
            yield "a zero-shot method, but runs set its threshold on validation images"
        digests = {weights.sha256 for weights in card.weights if weights.sha256}
        names = {weights.name for weights in card.weights}
        for path in weight_files(model):
            if str(path) in names:  # weights that the method makes itself
                continue
            if digest(path) not in digests:
                yield f"weights {path.name} have the SHA-256 of none that the card names"
    arguments = dict(model.get("init_args") or {})
    # Anomalib's post-processors are none: runs put the shared one in their place.
    rules = arguments.pop("post_processor", None)
    yield from _foreign(rules, "post_processor", {"zoo", "anomalib"})
    own = str(model.get("class_path")).partition(".")[0]  # for which the card speaks
    yield from _foreign(arguments, "model", _KNOWN | {own})
    if transductive:
        how = f": {transductive}" if isinstance(transductive, str) else ""
        yield f"transductive, one test image is scored with the help of others{how}"
    if goes_on_from:
        yield f"goes on from {Path(goes_on_from).name}, and nobody knows what that has seen"


def _about_data(data: dict[str, Any]) -> Iterator[str]:
    """Yield what nobody can vouch for in a recipe's data."""
    yield from _foreign(data, "data", _KNOWN)
    path = str(data.get("class_path") or "")
    if path.partition(".")[0] == "anomalib":
        own = [key for key, value in (data.get("init_args") or {}).items() if value is not None]
        if folders := [key for key in own if key.endswith(("_dir", "_path", "_file"))]:
            name = path.rpartition(".")[2]
            yield f"{folders[0]} of {name} is a place of its own, and nobody knows what lies there"


def _foreign(value: Any, where: str, known: Set[str]) -> Iterator[str]:
    """Yield an objection for every class of a section that is not of a known package."""
    if isinstance(value, dict):
        path = str(value.get("class_path") or "")
        name = path.rpartition(".")[2]
        if path and (path.partition(".")[0] not in known or name in _RUNS_ANYTHING):
            part = where.replace("_", "-")
            yield f"{name} of the {part} is no part of zoo, and nobody knows what it reads"
        for key, item in value.items():
            yield from _foreign(item, key if key in _WHERE else where, known)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _foreign(item, where, known)


def _test_places(value: Any, key: str = "") -> Iterator[str]:
    """Yield the texts of a section that lead to the images of a test split."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _test_places(item, str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _test_places(item, key)
    elif isinstance(value, str | Path) and key != "test_split":
        yield from [str(value)] * (not {*Path(value).parts}.isdisjoint(TEST_SPLITS))


def weight_files(model: Any, named: bool = False) -> Iterator[Path]:
    """Yield the files that a recipe's model names as weights, at any depth.

    Args:
        model: Plain data.
        named: Whether a text here stands under the key `weights`.
    """
    if isinstance(model, dict):
        for key, item in model.items():
            yield from weight_files(item, named=key == "weights")
    elif isinstance(model, list | tuple):
        for item in model:
            yield from weight_files(item, named)
    elif named and isinstance(model, str | Path) and str(model) not in _NAMED_WEIGHTS:
        yield expand_path(model)
