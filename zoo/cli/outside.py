"""Verbs of other packages, found through their entry points.

    [project.entry-points."anomalib_zoo.commands"]
    my-verb = "my_package.my_verb"

The module has what those of `zoo.cli` have: `HELP`, `add_arguments(parser)` and `run(args)`, which
returns the exit code. A verb of the zoo itself cannot be replaced.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zoo.utils.errors import ZooError, one_line

GROUP = "anomalib_zoo.commands"


def outside_verbs() -> dict[str, EntryPoint]:
    """Return the entry points of other packages' verbs by name, sorted; nothing is imported."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


def load_verb(entry: EntryPoint) -> Any:
    """Import the module of a verb.

    Raises:
        ZooError: It cannot be imported, whatever it raises, or lacks one of the three names.
    """
    try:
        module = entry.load()
    except (Exception, SystemExit) as error:
        raise ZooError(
            f"verb '{entry.name}' of {entry.value} cannot be imported: {one_line(error)}"
        ) from error
    missing = [name for name in ("HELP", "add_arguments", "run") if not hasattr(module, name)]
    if missing:
        raise ZooError(f"verb '{entry.name}' of {entry.value} lacks {', '.join(missing)}")
    return module


def described() -> list[str]:
    """Return the lines of `zoo --help` about these verbs; a broken one says what is wrong."""
    lines = []
    for name, entry in outside_verbs().items():
        try:
            lines.append(f"  {name:<11}{load_verb(entry).HELP}")
        except ZooError as error:
            lines.append(f"  {name:<11}{error}")
    return ["", "verbs of other packages:", *lines] if lines else []
