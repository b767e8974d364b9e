"""The ledger of uploads: three per week and team, however many accounts a team has (VAND 4.0).

The rules do not say when a week begins. Any seven days in a row count here, so that what the ledger
allows is allowed by every reading of them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path

from zoo.utils.atomic import write_text
from zoo.utils.csv_file import read_csv
from zoo.utils.errors import ZooError
from zoo.utils.paths import file_sha256
from zoo.utils.text import csv_cell, from_csv_cell

PER_WEEK, WEEK = 3, timedelta(days=7)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
# The last three are filled in by hand, once the server has answered.
COLUMNS = ["uploaded_utc", "archive", "sha256", "by", "note"]
COLUMNS += ["segf1_private", "segf1_private_mixed", "seen_at"]


def begin(path: Path) -> None:
    """Write a ledger without entries."""
    _write(path, [])


def read(path: Path) -> list[dict[str, str]]:
    """Return the entries of a ledger.

    Raises:
        ZooError: It is missing or no CSV, or an entry has no time.
    """
    rows = read_csv(path, COLUMNS, mend="mend or restore it")
    entries = [{key: from_csv_cell(text) for key, text in row.items()} for row in rows]
    try:
        for entry in entries:
            _time(entry)
    except ValueError as error:
        raise ZooError(f"ledger {path} cannot be read ({error}): mend or restore it") from error
    return entries


def record(path: Path, archive: Path, by: str, note: str = "", now: datetime | None = None) -> None:
    """Add an upload that took place, with the hash of its archive.

    Raises:
        ZooError: There is no such archive, or the ledger cannot be read.
    """
    if not archive.is_file():
        raise ZooError(f"no archive at {archive}: name the file that was uploaded")
    time = (now or datetime.now(timezone.utc)).strftime(_TIME)
    values = (time, archive.name, file_sha256(archive), by, note)
    _write(path, [*read(path), dict(zip(COLUMNS, values, strict=False))])


def status(entries: Sequence[dict[str, str]], now: datetime | None = None) -> str:
    """Return in one line how many uploads are left, or when the next one is."""
    now = now or datetime.now(timezone.utc)
    recent = sorted(time for time in map(_time, entries) if now - time < WEEK)
    text = f"{len(recent)} uploads of the team in the last seven days"
    if len(recent) < PER_WEEK:
        return f"{text}: {PER_WEEK - len(recent)} are left"
    free = recent[-PER_WEEK] + WEEK
    return f"{text}, {PER_WEEK} are allowed: wait until {free:%Y-%m-%d %H:%M} UTC"


def _time(entry: dict[str, str]) -> datetime:
    return datetime.strptime(entry["uploaded_utc"], _TIME).replace(tzinfo=timezone.utc)


def _write(path: Path, entries: Sequence[dict[str, str]]) -> None:
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: csv_cell(cell) for key, cell in entry.items()} for entry in entries)
    write_text(path, text.getvalue())
