"""Reads CSV files as people save them: with a byte order mark, semicolons, tabs, decimal commas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from zoo.utils.errors import ZooError
from zoo.utils.paths import read_bounded
from zoo.utils.schema import MAX_BYTES

_DELIMITERS = ",;\t"
_DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)")
_REPAIR = "save it as CSV in UTF-8"


def read_csv(
    path: str | Path, needed: Sequence[str], numbers: Sequence[str] = (), repair: str = _REPAIR
) -> list[dict[str, str]]:
    """Return the rows of a CSV file as texts without spaces around them; blank lines are skipped.

    The head decides whether commas, semicolons or tabs separate cells; the encoding is UTF-8, with
    or without a byte order mark.

    Args:
        path: The file.
        needed: Columns that must be there; in the head they may be written in capitals.
        numbers: Columns, in the file or not, whose numbers may have a decimal comma where commas
            do not separate cells; what is returned has a point.
        repair: How to repair a file that cannot be read, for the error.

    Raises:
        ZooError: The file is missing, too large or no CSV, has another encoding, or its head lacks
            a column or has one twice.
    """
    path = Path(path)
    text = _text(path, repair)
    head = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(_DELIMITERS, key=head.count)
    content = io.StringIO(text, newline=None)
    reader = csv.reader(content, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(map(str.strip, line))]
    except csv.Error as error:
        raise ZooError(f"{path} is no valid CSV ({error}): {repair}") from error
    names = _names(path, lines[0][1] if lines else [], needed, (*needed, *numbers), repair)
    commas = set(numbers) if delimiter != "," else set()
    return [_row(path, number, names, line, commas, repair) for number, line in lines[1:]]


def _text(path: Path, repair: str) -> str:
    try:
        text = read_bounded(path, MAX_BYTES, repair).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ZooError(f"{path} is not UTF-8 (at byte {error.start}): {repair}") from error
    if "\0" in text:  # UTF-16, UTF-32, a workbook
        raise ZooError(f"{path} is no text in UTF-8: {repair}")
    return text


def _names(
    path: Path, head: Sequence[str], needed: Sequence[str], known: Sequence[str], repair: str
) -> list[str]:
    """Return the names of the columns, the known ones as they are written here."""
    spelt = {name.casefold(): name for name in known}
    names = [spelt.get(cell.strip().casefold(), cell.strip()) for cell in head]
    while names and not names[-1]:  # a delimiter at the end of every line
        names.pop()
    if missing := [name for name in needed if name not in names]:
        present = ", ".join(names) or "nothing"
        raise ZooError(f"{path} lacks the column {', '.join(missing)}, it has {present}: {repair}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ZooError(f"{path} has the column '{twice[0]}' twice: {repair}")
    return names


def _row(
    path: Path, number: int, names: list[str], line: list[str], commas: set[str], repair: str
) -> dict[str, str]:
    cells = [cell.strip() for cell in line]
    if any(cells[len(names) :]):
        raise ZooError(f"{path}: line {number} has {len(cells)} cells, not {len(names)}: {repair}")
    cells += [""] * (len(names) - len(cells))  # Excel leaves empty ones at the end away
    row = dict(zip(names, cells, strict=False))
    for name in commas & row.keys():
        if match := _DECIMAL_COMMA.fullmatch(row[name]):
            row[name] = f"{match[1] or 0}.{match[2]}"
    return row
