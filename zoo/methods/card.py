"""A method's `card.yaml`: where it comes from, what it needs, and what may be claimed for it."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from zoo.utils.errors import ZooError, nearest
from zoo.utils.plain_yaml import FLAGS, read_yaml

_EXPECTED = {str: "text", bool: "yes or no", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Paper:
    """The publication; `null` on the card when there is none yet."""

    title: str
    authors: str
    venue: str
    year: int
    url: str


@dataclass(frozen=True)
class Reference:
    """The implementation that the method is measured against, at one exact commit."""

    repository: str
    commit: str
    licence: str


@dataclass(frozen=True)
class Licence:
    """What users must accept: the method's code, and the weights of its default recipe."""

    code: str
    weights: str


@dataclass(frozen=True)
class Weights:
    """One set of pretrained weights; `gated` means that somebody must grant access first."""

    name: str
    source: str
    licence: str
    gated: bool
    sha256: str | None = None


@dataclass(frozen=True)
class Needs:
    """What the smallest recipe needs; `memory_gb` is the GPU's when it needs one."""

    gpu: bool
    memory_gb: float
    offline: bool
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the needs in words, such as `CPU, 4 GB, offline`."""
        words = ["GPU" if self.gpu else "CPU", f"{self.memory_gb:g} GB"]
        words.append("offline" if self.offline else "network")
        return ", ".join(words + [f"anomalib-zoo[{extra}]" for extra in self.extras])


@dataclass(frozen=True)
class Fidelity:
    """The test that compares the method with its reference, and how closely they agree."""

    test: str
    tolerance: str


@dataclass(frozen=True)
class Vand4:
    """Facts that decide whether the VAND 4.0 challenge admits a result; see plugins/README.md."""

    setting: Literal["regular", "zero_shot"]
    reads_splits: tuple[Literal["train", "validation", "test_public", "test_private"], ...]
    threshold_source: Literal["none", "train_holdout", "validation", "fixed", "test_public"]
    class_agnostic: bool
    uses_category_name: bool
    pretrained: tuple[str, ...]
    synthetic_anomalies: Literal["none", "classical", "generative"]
    test_time_state: bool
    class_agnostic_reason: str | None = None


@dataclass(frozen=True)
class Card:
    """Everything that `zoo list` and `zoo show` say about a method without importing it."""

    name: str
    title: str
    idea: str
    paper: Paper | None
    reference: Reference | None
    licence: Licence
    weights: tuple[Weights, ...]
    learns: Literal["training_free", "one_shot", "epochs"]
    needs: Needs
    differences: tuple[str, ...]
    assumptions: tuple[str, ...]
    fidelity: Fidelity | None
    vand4: Vand4
    assumed: tuple[str, ...] = ()  # what the papers leave open, and what was taken instead


def vand4_admissible(card: Card) -> tuple[bool, str]:
    """Return whether the rules of VAND 4.0's industrial track admit the method, and why.

    What the public rules leave open counts as "no", so that a "yes" can be relied upon.
    """
    facts = card.vand4
    regular = facts.setting == "regular"
    barred = set(facts.reads_splits) - ({"train", "validation"} if regular else set())
    sources = {"none", "fixed"} | ({"train_holdout", "validation"} if regular else set())
    objections = [
        (barred, f"the {facts.setting} setting may not read {', '.join(sorted(barred))}"),
        (facts.threshold_source not in sources, f"threshold from {facts.threshold_source}"),
        (not facts.class_agnostic, f"not class-agnostic: {facts.class_agnostic_reason}"),
        (facts.test_time_state, "a result depends on test images before it"),
        (facts.synthetic_anomalies == "generative", "generated anomalies need proof beyond a card"),
    ]
    reasons = [reason for applies, reason in objections if applies]
    reads = " and ".join(facts.reads_splits) or "no split"
    kept = f"{facts.setting} setting, reads {reads}, threshold: {facts.threshold_source}"
    return not reasons, "; ".join(reasons) or f"{kept}, one configuration for all objects"


def read_card(path: Path) -> Card:
    """Read and check a card; the error names the file, the field and the fix."""
    data = read_yaml(path)
    try:
        return _checked(_build(Card, data, ""))
    except ZooError as error:
        raise ZooError(f"{path}: {error}") from None


def _checked(card: Card) -> Card:
    """Return the card if it also holds what types cannot say."""
    reference, facts = card.reference, card.vand4
    if reference and not re.fullmatch("[0-9a-f]{40}", reference.commit):
        raise ZooError("'reference.commit' must be a full hash; copy it from `git rev-parse HEAD`")
    if not facts.class_agnostic and not facts.class_agnostic_reason:
        raise ZooError("'vand4.class_agnostic' is no; say why in 'vand4.class_agnostic_reason'")
    known = [weights.name for weights in card.weights]
    for name in facts.pretrained:
        if name not in known:
            raise ZooError(f"'vand4.pretrained': no weights named {name!r}{nearest(name, known)}")
    return card


def _build(kind: Any, value: Any, field: str) -> Any:
    """Return `value` as `kind`, or raise an error that names `field` and the fix."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _build_record(kind, value, field)
    if origin in (Union, UnionType):  # only ever `X | None`
        return None if value is None else _build(arguments[0], value, field)
    if origin is tuple:
        if not isinstance(value, list):
            raise ZooError(f"'{field}' must be a list; write [] or begin each item with '- '")
        return tuple(_build(arguments[0], item, f"{field}[{i}]") for i, item in enumerate(value))
    if origin is Literal:
        if value not in arguments:
            raise ZooError(f"'{field}' cannot be {value!r}{nearest(str(value), arguments)}")
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is bool and isinstance(value, str):
        value = FLAGS.get(value.lower(), value)
    if type(value) is not kind or (kind is str and not value.strip()):
        fix = "; put quotes around it" if kind is str and isinstance(value, int | float) else ""
        raise ZooError(f"'{field}' must be {_EXPECTED[kind]}, not {value!r}{fix}")
    return " ".join(value.split()) if kind is str else value


def _build_record(kind: Any, value: Any, field: str) -> Any:
    """Return a mapping as the dataclass `kind`: every required field, and no other."""
    where = f"{field}." if field else ""
    known = {item.name: item for item in fields(kind)}
    if not isinstance(value, dict):
        raise ZooError(f"'{field or 'the card'}' must have the fields {', '.join(known)}")
    for name in value:
        if name not in known:
            raise ZooError(f"unknown field '{where}{name}'{nearest(str(name), known)}")
    for name, item in known.items():
        if name not in value and item.default is MISSING:
            raise ZooError(f"field '{where}{name}' is missing; add it (see plugins/README.md)")
    hints = get_type_hints(kind)
    return kind(**{name: _build(hints[name], value[name], where + name) for name in value})
