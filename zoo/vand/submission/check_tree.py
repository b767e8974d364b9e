"""Whether a submission holds exactly the files that are expected, under exactly their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from zoo.vand.submission.finding import Finding
from zoo.vand.submission.tree import LIGHTS, MAPS, MASKS, SUFFIXES, Expected

_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx"}


def check_tree(names: Iterable[str], expected: Expected) -> list[Finding]:
    """Compare the files that are there with those that are expected.

    Args:
        names: Paths below the submission's folder, with `/`; folders end with one and count where
            nothing expected lies in them.
        expected: The images that must be judged.
    """
    names, wanted = set(names), set(expected.by_place)
    folders = {f"{parent}/" for name in wanted for parent in PurePosixPath(name).parents}
    missing, superfluous = wanted - names, names - wanted - folders
    whole = _missing_folders(wanted, names)
    parts = {name for name in missing if not any(name.startswith(f"{each}/") for each in whole)}
    return [
        *(_missing_folder(folder, expected) for folder in whole),
        *_missing_files(parts, names, wanted),
        *_superfluous(superfluous, expected),
    ]


def _missing_folders(wanted: set[str], names: set[str]) -> list[str]:
    """Return the folders that nothing lies in, without those inside another one of them."""
    here = {_head(name, depth) for name in names for depth in (1, 2, 3)}
    missing: list[str] = []
    for depth in (1, 2, 3):
        for folder in sorted({_head(name, depth) for name in wanted} - here):
            if not any(folder.startswith(f"{outer}/") for outer in missing):
                missing.append(folder)
    return missing


def _missing_folder(folder: str, expected: Expected) -> Finding:
    if folder in SUFFIXES:
        holds = "masks" if folder == MASKS else "score maps"
        text = f"missing: a submission needs {holds}; `zoo submit RUN... --out OUT` writes both"
        return Finding(folder, text, "missing tree")
    what = "split" if folder.count("/") == 2 else "object"
    return Finding(folder, f"missing: {expected.data_set} has this {what}", f"missing {what}")


def _missing_files(missing: set[str], names: set[str], wanted: set[str]) -> Iterator[Finding]:
    """Yield one finding per folder in which files are missing."""
    found = Counter(_parent(name) for name in names if not name.endswith("/"))
    counts = Counter(map(_parent, wanted))
    for folder in sorted(set(map(_parent, missing))):
        lacking = sorted(name for name in missing if _parent(name) == folder)
        text = f"{found[folder]} files, {counts[folder]} expected; missing {_some(lacking)}"
        yield Finding(folder, text, "missing files")


def _superfluous(superfluous: set[str], expected: Expected) -> Iterator[Finding]:
    told: set[str] = set()
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
