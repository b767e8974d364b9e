"""Whether a submission holds exactly the files that are expected, under exactly their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from zoo.submission.finding import Finding
from zoo.submission.tree import LIGHTS, MAPS, MASKS, SUFFIXES, Expected

_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx"}


def check_tree(names: Iterable[str], expected: Expected) -> list[Finding]:
    """Compare the files that are there with those that are expected.

    Args:
        names: Paths below the submission's folder, with `/`; folders end with one and count where
            nothing expected lies in them.
        expected: The images that must be judged.
    """
    names = set(names)
    wanted = set(expected.by_place)
    folders = {f"{parent}/" for name in wanted for parent in PurePosixPath(name).parents}
    missing, superfluous = wanted - names, names - wanted - folders
    return [
        *_missing_folders(missing, wanted, names, expected),
        *_missing_files(missing, names, superfluous),
        *_superfluous(superfluous, missing, expected),
    ]


def _missing_folders(
    missing: set[str], wanted: set[str], names: set[str], expected: Expected
) -> Iterator[Finding]:
    """Yield what is missing as a whole, the largest part of it only, and take it off `missing`."""
    for depth, what in ((1, "tree"), (2, "object"), (3, "split")):
        for folder in sorted({_head(name, depth) for name in missing}):
            whole = {name for name in wanted if _head(name, depth) == folder}
            there = any(name.startswith(f"{folder}/") for name in names)
            if there or not whole <= missing:
                continue
            missing -= whole
            text = f"missing; {expected.data_set} has it"
            if what == "tree":
                holds = "masks" if folder == MASKS else "score maps"
                text = f"missing: a submission needs {holds}, `zoo submit` writes maps and masks"
            yield Finding(folder, text, f"missing {what}")


def _missing_files(missing: set[str], names: set[str], superfluous: set[str]) -> Iterator[Finding]:
    """Yield one finding per folder in which files are missing."""
    for folder in sorted({_parent(name) for name in missing}):
        lacking = sorted(name for name in missing if _parent(name) == folder)
        found = sum(_parent(name) == folder and not name.endswith("/") for name in names)
        n_expected = found - sum(_parent(name) == folder for name in superfluous) + len(lacking)
        yield Finding(
            folder,
            f"{found} files, {n_expected} expected; missing {_some(lacking)}",
            "missing files",
        )


def _superfluous(superfluous: set[str], missing: set[str], expected: Expected) -> Iterator[Finding]:
    told = set()
    for name in sorted(superfluous):
        finding = _why(name, expected)
        # A folder that does not belong here is said once, not for each of its files.
        if finding.where not in told:
            told.add(finding.where)
            yield finding


def _why(name: str, expected: Expected) -> Finding:
    """Say what is wrong with the name of a file or folder that nobody expects."""
    parts = PurePosixPath(name).parts
    if parts[-1].lower() in _LITTER or parts[-1].startswith("."):
        return Finding(name, "left behind by the system: remove it", "stray file")
    if parts[0] not in SUFFIXES:
        return Finding(parts[0], f"only {MAPS} and {MASKS} belong here: remove it", "stray file")
    if len(parts) < 2 or (len(parts) == 2 and not name.endswith("/")):
        return Finding(name, "no file belongs here: remove it", "stray file")
    if parts[1] not in expected.objects:
        known = ", ".join(expected.objects)
        text = f"no object of {expected.data_set} ({known}); --data.root names another data set"
        return Finding(_head(name, 2), text, "foreign object")
    if len(parts) == 2 or parts[2] not in LIGHTS:
        where = _head(name, 3)
        return Finding(where, f"only {' and '.join(LIGHTS)} belong here: remove it", "stray file")
    if len(parts) != 4 or name.endswith("/"):
        return Finding(name, "no folder belongs here: remove it", "stray file")
    return Finding(name, _wrong_name(parts[3], parts[0], parts[2]), "wrong name")


def _wrong_name(file: str, tree: str, split: str) -> str:
    """Say how a file's name differs from the scheme, such as 000_regular.tiff."""
    suffix, light = SUFFIXES[tree], LIGHTS[split]
    scheme = f"names are 000_{light}{suffix}, 001_{light}{suffix}, ..."
    stem, dot, ending = file.rpartition(".")
    if dot + ending != suffix:
        return f"the suffix must be {suffix}, not {dot + ending if stem else 'none'}"
    number, _, rest = stem.partition("_")
    other = {value for value in LIGHTS.values() if value != light}
    if rest in other:
        return f"'{rest}' in {split}: {scheme}"
    if re.fullmatch(r"\d+", number) and len(number) != 3:
        return f"the number has {len(number)} digits: {scheme}"
    if re.fullmatch(r"\d{3}", number) and rest == light:
        return f"no image has this number: numbers begin with 000; {scheme}"
    return f"no image has this name: {scheme}"


def _head(name: str, depth: int) -> str:
    return "/".join(name.split("/")[:depth])


def _parent(name: str) -> str:
    return name.rstrip("/").rpartition("/")[0]


def _some(names: list[str], most: int = 3) -> str:
    short = ", ".join(name.rpartition("/")[2] for name in names[:most])
    return f"{short} and {len(names) - most} more" if len(names) > most else short
