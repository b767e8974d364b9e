"""The record of a sealed run, and its comparison with what lies on a disk.

    format, statement, limits   what is attested, and what it is not worth
    object, seed, recipe        {"name", "sha256"} of the recipe's file
    config_hash                 hash of all that decides the numbers
    versions                    of the packages that decide numbers, and Python's
    resumed_from                SHA-256 of the state of an interrupted sealed run from which
                                the fit went on, or None
    guards                      {"landlock_abi", "audit_hook"} what held the process
    refused, touched            what the process tried and was not let do; of it, what was data
    reads                       see `zoo.benchmark.sealed.reads`
    outputs                     {file of the run: SHA-256}

Nothing here imports torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import NotRequired, TypedDict

from zoo.benchmark.sealed.hidden import HiddenData, named_paths
from zoo.data.splits import FIT_SPLITS
from zoo.runs.checksums import verify
from zoo.runs.folder import ATTESTATION, CALIBRATION, CONFIG, MODEL
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256
from zoo.utils.plain_yaml import read_yaml
from zoo.utils.schema import (
    Count,
    Digest,
    Flag,
    Name,
    RecipeName,
    Text,
    read_json,
    validated,
)

FORMAT = 1
OUTPUTS = (CONFIG, MODEL, CALIBRATION)
STATEMENT = (
    "Fit and calibration ran in a process that could read the train and validation images of one "
    "object and no other file of the data set. `reads` are the files that it opened."
)
LIMITS = (
    "Without Landlock an audit hook alone held the process: it stops Python, not a library in C.",
    "Files that libraries open in C or Rust are held by Landlock, and not in `reads`.",
    "Caches of weights could be read as a whole; the weights that were read are in `reads`.",
    "Copies of test images are known by their bytes: one that was saved anew is not.",
    "Judging is not sealed: the method's code runs there beside the data set.",
    "Whoever writes this file can forge it: only a repetition, `zoo verify RUN`, is proof.",
)


class AttestedRecipe(TypedDict):
    """The recipe's file."""

    name: RecipeName
    sha256: Digest


class Guards(TypedDict):
    """What held the process."""

    landlock_abi: Count | None
    audit_hook: Flag


class Library(TypedDict):
    """What was read of a library: how many files, and one digest over all."""

    files: Count
    sha256: Digest


class Reads(TypedDict):
    """The files that were read, see `zoo.benchmark.sealed.reads`."""

    data: dict[Text, Digest]
    weights: dict[Text, Digest]
    code: dict[Text, Digest]
    other: dict[Text, Digest]
    libraries: dict[Text, Library]


class Attestation(TypedDict):
    """The record; see the top of this file."""

    __pydantic_config__ = {"extra": "allow"}  # noqa: RUF012 - a TypedDict has no other place for it

    format: Count
    object: Name
    recipe: AttestedRecipe
    guards: Guards
    refused: list[Text]
    touched: list[Text]
    reads: Reads
    outputs: dict[Name, Digest]
    resumed_from: NotRequired[Digest | None]


@dataclass(frozen=True)
class Check:
    """One comparison: whether it holds, and what was compared, for people."""

    holds: bool
    text: str

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{'ok' if self.holds else 'FAIL':<5} {self.text}"


def outputs_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of what a sealed process and its recipe left in a run's folder."""
    return {name: file_sha256(folder / name) for name in OUTPUTS if (folder / name).is_file()}


def read_attestation(folder: Path) -> Attestation:
    """Return the record of a sealed run.

    Raises:
        ZooError: The run was not sealed, or its record is damaged or of another version.
    """
    path = Path(folder) / ATTESTATION
    if not path.is_file():
        raise ZooError(f"run {folder} was not sealed: `zoo bench --sealed` makes runs that are")
    data = read_json(path)
    found = data.get("format") if isinstance(data, dict) else None
    if found is not None and found != FORMAT:
        raise ZooError(f"{path} is of format {found}, this version reads {FORMAT}")
    record = validated(Attestation, data, path)
    verify(folder, ATTESTATION)
    return record


def checks(folder: Path, record: Attestation, root: Path | None, recipe: Path | None) -> Iterator:
    """Yield what can be compared without running anything.

    Args:
        folder: The run's folder.
        record: Its attestation.
        root: The data set, where it is at hand.
        recipe: The file of the recipe, where it is at hand.
    """
    held = record["guards"]
    kernel = f"Landlock ABI {held['landlock_abi']}" if held["landlock_abi"] else "no Landlock"
    yield Check(held["audit_hook"], f"sealed by an audit hook and {kernel}")
    if state := record.get("resumed_from"):  # no fault, but no proof of what came before either
        yield Check(True, f"went on from the state {state[:12]} of an interrupted sealed run")
    touched = record["touched"]
    said = ", ".join(touched[:3]) or "nothing else of the data set"
    yield Check(not touched, f"tried to read {said}")
    yield from _same(folder, record["outputs"], "outputs as attested")
    digest = record["recipe"]["sha256"]
    name = f"recipe {record['recipe']['name']}"
    if recipe is not None:
        yield Check(file_sha256(recipe) == digest, f"{name} as attested ({recipe})")
    data, weights = record["reads"]["data"], record["reads"]["weights"]
    strays = [name for name in data if not _is_seen(name, record["object"])]
    what = f"read of the data: train and validation of {record['object']} only"
    yield Check(not strays, f"{what}{_few(strays)}")
    if root is not None:
        seen = {name: digest for name, digest in data.items() if name not in strays}
        yield from _same(root, seen, "images as attested")
    yield from _hidden(folder, record, root)
    if weights:
        yield from _same(Path("/"), weights, "files of weights as attested")


def _is_seen(name: str, object_name: str) -> bool:
    """Whether a path below the data set is that of an image that a sealed process may see."""
    parts = name.split("/")
    seen = [[object_name, split, "good"] for split in FIT_SPLITS]
    return len(parts) == 4 and parts[:3] in seen and parts[3] not in ("", ".", "..")


def _hidden(folder: Path, record: Attestation, root: Path | None) -> Iterator[Check]:
    """Yield whether anything else that was read, or that the recipe names, is of the data set."""
    config = read_yaml(folder / CONFIG)
    then = os.path.abspath((config["data"].get("init_args") or {}).get("root") or ".")  # noqa: PTH100
    hidden = HiddenData(root, record["object"]) if root is not None else None

    def is_hidden(path: Path) -> bool:
        lies = Path(os.path.abspath(path)).is_relative_to(then)  # noqa: PTH100 - as it was there
        return lies or (hidden is not None and hidden.holds(path))

    named = [place for place, path in named_paths(config["model"], "model") if is_hidden(path)]
    yield Check(not named, f"the recipe names nothing of the data set{_few(named)}")
    others = {
        path: digest
        for kind in ("weights", "other")
        for path, digest in record["reads"][kind].items()
    }
    own = record["recipe"]["sha256"]  # a recipe may lie beside the data
    inside = [path for path in others if others[path] != own and is_hidden(Path(path))]
    yield Check(
        not inside, f"{len(others)} other files read lie outside the data set{_few(inside)}"
    )
    if hidden is not None:
        copies = hidden.twins([*others.values(), *record["reads"]["code"].values()])
        what = "nothing that was read is a copy of a hidden image"
        yield Check(not copies, f"{what}{_few([str(path) for path in copies])}")


def _same(folder: Path, digests: dict[str, str], what: str) -> Iterator[Check]:
    """Yield whether all files of a folder have their digests; those that have not are named."""
    differ = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    yield Check(not differ, f"{len(digests)} {what}{_few(differ)}")


def _few(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f", but not {', '.join(names[:3])}{more}"


def _digest(path: Path) -> str | None:
    return file_sha256(path) if path.is_file() else None
