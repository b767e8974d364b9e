"""Whether the rules of VAND 4.0's industrial track admit a run: its card, and what its recipe does.

A card speaks for the method. A recipe may still use it in a way that the rules bar, and a run knows
more than a card: which weights it read, what it went on from, what its thresholds were made of.
What nobody has vouched for counts as no, so that a "yes" can be relied upon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo.card import Card, vand4_admissible
from zoo.hashes import file_sha256
from zoo.paths import written_path

YES, NO = "yes", "no: "
# The rules let a fit, and what normal data decides, see train/good and validation/good only.
_GIVEN = "thresholds from given images, and the rules admit train and validation only"
_NAMED_WEIGHTS = {"embedded", "hub", "random"}  # see `zoo.weights`; everything else is a file


def _digest(path: Path) -> str | None:
    return file_sha256(path) if path.is_file() else None


def run_admissible(
    card: Card | None,
    model: dict[str, Any],
    transductive: bool | str = False,
    goes_on_from: str | None = None,
    outside_images: str = "",
    digest: Callable[[Path], str | None] = _digest,
) -> str:
    """Return "yes", or "no: " and every reason in one line.

    Args:
        card: The method's card; a stock model has none.
        model: The recipe's model as plain data: `class_path` and `init_args`.
        transductive: The model's attribute of that name: whether, and in words how, what it says of
            one test image depends on others.
        goes_on_from: Checkpoint that the fit went on from, if any.
        outside_images: The model's attribute of that name: folders besides the data set that its
            fit reads, in words.
        digest: Returns the SHA-256 of a file of weights, None where there is none.
    """
    found = list(_objections(card, model, transductive, goes_on_from, digest))
    if outside_images:
        found.append(f"reads {outside_images}, and nobody knows what these images show")
    return verdict(found)


def verdict(objections: list[str]) -> str:
    """Return the one text for a list of objections, which may be empty."""
    return f"{NO}{'; '.join(objections)}" if objections else YES


def with_calibration(text: str, given: bool) -> str:
    """Return a verdict on a run as its present calibration makes it, from that on its fit.

    Args:
        text: The verdict, for whatever calibration.
        given: Whether the present calibration is of images that a person gave.

    Example:
        >>> with_calibration("no: transductive", given=True).count(";")
        1
        >>> with_calibration(with_calibration("yes", given=True), given=False)
        'yes'
    """
    objections = [] if text == YES else text.removeprefix(NO).split("; ")
    return verdict([each for each in objections if each != _GIVEN] + [_GIVEN] * given)


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
    for name in _strange_rules(model):
        yield f"{name} of the post-processor is no part of zoo, and nobody knows what it reads"
    if transductive:
        how = f": {transductive}" if isinstance(transductive, str) else ""
        yield f"transductive, one test image is judged with the help of others{how}"
    if goes_on_from:
        yield f"goes on from {Path(goes_on_from).name}, and nobody knows what that has seen"


def _strange_rules(model: dict[str, Any]) -> Iterator[str]:
    """Yield the classes of a recipe's post-processor and its rule that are somebody's own.

    Anomalib's post-processors are none: runs put the shared one in their place.
    """
    waiting = [(model.get("init_args") or {}).get("post_processor")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            path = str(value.get("class_path", ""))
            if path and path.partition(".")[0] not in ("zoo", "anomalib"):
                yield path.rpartition(".")[2]
            waiting += value.values()


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
        yield written_path(model)
