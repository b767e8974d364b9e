"""Three uploads in seven days, whatever week is meant."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import pytest

from zoo.utils.errors import ZooError
from zoo.vand.submission import ledger

NOON = datetime(2026, 4, 6, 12, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path):
    ledger.begin(tmp_path / "uploads.csv")
    return tmp_path / "uploads.csv"


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "entry.tar.gz").write_bytes(b"entry")
    return tmp_path / "entry.tar.gz"


def test_uploads_of_seven_days_count(path, archive):
    assert ledger.status(ledger.read(path), NOON).endswith("3 are left")
    for days in (0, 2, 5):
        ledger.record(path, archive, "me", "a, note", NOON + timedelta(days=days))
    entries = ledger.read(path)
    assert [each["by"] for each in entries] == ["me"] * 3
    assert entries[0]["sha256"] == hashlib.sha256(b"entry").hexdigest()
    assert entries[0]["note"] == "a, note"
    late = NOON + timedelta(days=6)
    assert ledger.status(entries, late).endswith("wait until 2026-04-13 12:00 UTC")
    assert ledger.status(entries, NOON + timedelta(days=7)).endswith("1 are left")


def test_an_upload_too_many_is_a_fact_and_is_noted(path, archive):
    for _ in range(4):
        ledger.record(path, archive, "me", now=NOON)
    assert ledger.status(ledger.read(path), NOON).startswith("4 uploads of the team")


def test_columns_that_people_filled_in_are_kept(path, archive):
    ledger.record(path, archive, "me", now=NOON)
    path.write_text(path.read_text().replace(",,,", ",,0.5,0.4").replace("0.4\n", "0.4,\n"))
    ledger.record(path, archive, "me", now=NOON)
    assert ledger.read(path)[0]["segf1_private"] == "0.5"


def test_a_ledger_that_excel_saved_is_read(path, archive):
    ledger.record(path, archive, "me", "a; note", now=NOON)
    expected = ledger.read(path)
    path.write_text(path.read_text().replace("a; note", '"a; note"').replace(",", ";"), "utf-8-sig")
    assert ledger.read(path) == expected


def test_what_is_no_ledger(path, archive, tmp_path):
    with pytest.raises(ZooError, match="no archive at"):
        ledger.record(path, tmp_path / "nothing", "me")
    with pytest.raises(ZooError, match="cannot be read"):
        ledger.read(tmp_path / "nothing.csv")
    path.write_text("uploaded_utc\nyesterday\n")
    with pytest.raises(ZooError, match="mend or restore it"):
        ledger.record(path, archive, "me")
