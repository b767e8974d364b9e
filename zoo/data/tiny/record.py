"""The note a set leaves in its folder, and whether a folder may be written into."""

from __future__ import annotations

import json
from pathlib import Path

from zoo.utils.atomic import write_text
from zoo.utils.errors import ZooError
from zoo.utils.schema import read_json

FINISHED = "tiny.json"
# stands there while a set is being written, and becomes FINISHED by renaming
STARTED = "tiny.started.json"
# raised whenever the same seed would give other pictures than before
_RENDERER = 2


def recipe(seed: int, size: str, objects: tuple[str, ...]) -> dict[str, object]:
    """Return what decides every byte of a set, on one machine and library version."""
    return {"seed": seed, "size": size, "objects": list(objects), "renderer": _RENDERER}


def is_finished(root: Path, wanted: dict[str, object]) -> bool:
    """Return whether ``root`` holds the wanted set already.

    Raises:
        ZooError: If the folder holds anything else than the wanted set, finished or begun.
    """
    if root.exists() and not root.is_dir():
        raise ZooError(f"{root} is a file, not a folder: name another folder")
    if not root.exists() or not any(root.iterdir()):
        return False
    for name in (FINISHED, STARTED):
        if not (root / name).is_file():
            continue
        found = _read(root / name)
        if found == wanted:
            return name == FINISHED
        raise ZooError(
            f"{root} holds another tiny set ({_words(found)}), wanted is {_words(wanted)}: "
            "name another folder, or delete this one"
        )
    raise ZooError(
        f"{root} is not empty and was not made by `zoo tiny`: name a new or empty folder"
    )


def begin(root: Path, wanted: dict[str, object]) -> None:
    """Claim the folder for a set, before the first picture is written."""
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / STARTED, json.dumps(wanted, indent=2) + "\n")


def finish(root: Path) -> None:
    """Declare the set complete, after the last picture is written."""
    (root / STARTED).replace(root / FINISHED)


def _read(path: Path) -> dict[str, object]:
    try:
        found = read_json(path)
    except ZooError:  # cut off in the middle
        return {}
    return found if isinstance(found, dict) else {}


def _words(found: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in found.items()) or "unreadable"
