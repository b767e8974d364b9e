"""The record of a sealed run, and its comparison with what lies on a disk.

    format, statement, limits   what is attested, and what it is not worth
    object, seed, recipe        {"name", "sha256"} of the recipe's file
    config_hash                 hash of everything that decides the numbers
    versions                    of the packages that decide numbers, and Python's
    resumed_from                SHA-256 of the state of an interrupted sealed run from which
                                the fit went on, or None
    reads                       see `zoo.benchmark.sealed.view`
    outputs                     {file of the run: SHA-256}

Nothing here imports torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
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
from zoo.utils.schema import Count, Digest, Name, RecipeName, Text, read_json, validated

FORMAT = 1
OUTPUTS = (CONFIG, MODEL, CALIBRATION)
STATEMENT = (
    "Fit and calibration ran in a process that was given a folder with the train and validation "
    "images of one object. `reads` are the files that Python opened in it, libraries left out; no "
    "other file of the data set is among them."
)
LIMITS = (
    "Python that opens a hidden file of the data set voids the run. Code in C or Rust, or another "
    "process, may open one unnoticed: this is no sandbox.",
    "Copies of test images are known by their bytes: one that was saved anew is not.",
    "Evaluation is not sealed: the method's code runs there beside the data set.",
    "Whoever writes this file can forge it: only a repetition, `zoo verify RUN`, is proof.",
)


class AttestedRecipe(TypedDict):
    """The recipe's file."""

    name: RecipeName
    sha256: Digest


class Reads(TypedDict):
    """The files that were read, see `zoo.benchmark.sealed.view`."""

    data: dict[Text, Digest]
    weights: dict[Text, Digest]
    code: dict[Text, Digest]
    other: dict[Text, Digest]


class Attestation(TypedDict):
    """The record; see the top of this file."""

    __pydantic_config__ = {"extra": "allow"}  # type: ignore[misc]  # noqa: RUF012 - pydantic's way

    format: Count
    object: Name
    recipe: AttestedRecipe
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
    version = data.get("format") if isinstance(data, dict) else None
    if version is not None and version != FORMAT:
        raise ZooError(f"{path} is of format {version}, this version reads {FORMAT}")
    record = validated(Attestation, data, path)
    verify(folder, ATTESTATION)
    return record


def checks(
    folder: Path, record: Attestation, root: Path | None, recipe: Path | None
) -> Iterator[Check]:
    """Yield what can be compared without running anything.

    Args:
        folder: The run's folder.
        record: Its attestation.
        root: The data set, where it is at hand.
        recipe: The file of the recipe, where it is at hand.
    """
    reads, name = record["reads"], record["object"]
    if state := record.get("resumed_from"):  # no fault, but no proof of what came before either
        yield Check(True, f"went on from the state {state[:12]} of an interrupted sealed run")
    yield _same(folder, record["outputs"], "outputs as attested")
    if recipe is not None:
        same = file_sha256(recipe) == record["recipe"]["sha256"]
        yield Check(same, f"recipe {record['recipe']['name']} as attested ({recipe})")
    strays = [path for path in reads["data"] if not _is_seen(path, name)]
    yield _none(strays, f"read of the data: train and validation of {name} only")
    if root is not None:
        seen = {path: digest for path, digest in reads["data"].items() if path not in strays}
        yield _same(root, seen, "images as attested")
    yield from _hidden(folder, record, root)
    if reads["weights"]:
        yield _same(Path("/"), reads["weights"], "files of weights as attested")


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
    yield _none(named, "the recipe names nothing of the data set")
    reads = record["reads"]
    others = {**reads["weights"], **reads["other"]}
    own = record["recipe"]["sha256"]  # a recipe may lie beside the data
    inside = [path for path in others if others[path] != own and is_hidden(Path(path))]
    yield _none(inside, f"{len(others)} other files read lie outside the data set")
    if hidden is not None:
        copies = hidden.twins([*others.values(), *reads["code"].values()])
        yield _none([*map(str, copies)], "nothing that was read is a copy of a hidden image")


def _same(folder: Path, digests: dict[str, str], what: str) -> Check:
    """Return whether all files of a folder have their digests."""
    differ = [
        name
        for name, digest in digests.items()
        if not (folder / name).is_file() or file_sha256(folder / name) != digest
    ]
    return _none(differ, f"{len(digests)} {what}")


def _none(names: Sequence[str], what: str) -> Check:
    """Return a comparison that holds unless some names are an exception to it."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return Check(not names, f"{what}, but not {', '.join(names[:3])}{more}" if names else what)
