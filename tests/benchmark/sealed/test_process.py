"""What a sealed process reads is noted, and reading the hidden data set is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.benchmark.sealed.process import Reads


@pytest.fixture
def reads(tmp_path):
    """Return a watch over a data set that holds a view."""
    for name in ("data/view/ok.txt", "data/secret.txt", "elsewhere.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    reads = Reads([tmp_path / "data"], [tmp_path / "data" / "view"])
    yield reads
    reads.stop()


def test_what_is_read_is_noted(reads, tmp_path):
    for path in (tmp_path / "data" / "view" / "ok.txt", tmp_path / "elsewhere.txt"):
        assert path.read_text() == "text"
        assert str(path.resolve()) in reads.files
    assert reads.touched == []


def test_links_dots_and_descriptors_lead_nowhere(reads, tmp_path):
    view, secret = tmp_path / "data" / "view", tmp_path / "data" / "secret.txt"
    (view / "link.txt").symlink_to(secret)
    for path in (secret, view / "link.txt", view / ".." / "secret.txt"):
        with pytest.raises(PermissionError, match=r"sealed run: open .* is refused"):
            os.open(path, os.O_RDONLY)
    assert reads.touched == [f"open {secret.resolve()}"] * 3


def test_a_link_is_followed_anew_every_time(reads, tmp_path):
    link = tmp_path / "data" / "view" / "link.txt"
    link.symlink_to(tmp_path / "data" / "view" / "ok.txt")
    assert link.read_text() == "text"
    link.unlink()
    link.symlink_to(tmp_path / "data" / "secret.txt")
    with pytest.raises(PermissionError):
        link.read_text()


def test_no_way_round_through_the_root_of_the_process(reads, tmp_path):
    if not Path("/proc/self/root").exists():
        pytest.skip("this system has no /proc")
    path = Path("/proc/self/root") / (tmp_path / "data" / "secret.txt").relative_to("/")
    with pytest.raises(PermissionError):
        path.read_text()


def test_names_of_the_data_set_are_hidden_too(reads, tmp_path):
    assert [path.name for path in (tmp_path / "data" / "view").iterdir()] == ["ok.txt"]
    with pytest.raises(PermissionError):
        list((tmp_path / "data").iterdir())
    assert reads.touched


def test_once_stopped_it_looks_away(reads, tmp_path):
    reads.stop()
    assert (tmp_path / "data" / "secret.txt").read_text() == "text"
