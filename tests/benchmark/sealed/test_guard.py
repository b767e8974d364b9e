"""The two guards of a sealed process: an audit hook, and the kernel where it can."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.benchmark.sealed import landlock
from zoo.benchmark.sealed.guard import Guard

SRC = Path(__file__).parents[3]


@pytest.fixture
def guard(tmp_path):
    """Return a guard that lets the view be read and hides the data set around it."""
    for name in ("data/view/ok.txt", "data/secret.txt", "elsewhere.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    guard = Guard([tmp_path / "data" / "view", Path(sys.prefix), SRC], [tmp_path / "data"])
    guard.watch()
    yield guard
    guard.stop()


def test_what_is_allowed_is_read_and_noted(guard, tmp_path):
    path = tmp_path / "data" / "view" / "ok.txt"
    assert path.read_text() == "text"
    assert guard.reads >= {str(path.resolve())}
    assert guard.refused == []


def test_everything_else_is_refused_and_the_data_set_told_apart(guard, tmp_path):
    for name in ("data/secret.txt", "elsewhere.txt"):
        with pytest.raises(PermissionError, match="sealed run: read"):
            (tmp_path / name).read_text()
    assert len(guard.refused) == 2
    assert guard.touched_hidden == [f"read {(tmp_path / 'data' / 'secret.txt').resolve()}"]


def test_no_way_round_through_links_dots_or_descriptors(guard, tmp_path):
    view = tmp_path / "data" / "view"
    (view / "link.txt").symlink_to(tmp_path / "data" / "secret.txt")
    for path in (view / "link.txt", view / ".." / "secret.txt"):
        with pytest.raises(PermissionError):
            os.open(path, os.O_RDONLY)
    with pytest.raises(PermissionError):
        os.open(tmp_path / "data" / "secret.txt", os.O_RDWR)


def test_a_link_is_followed_anew_every_time(guard, tmp_path):
    link = tmp_path / "data" / "view" / "link.txt"
    link.symlink_to(tmp_path / "data" / "view" / "ok.txt")
    assert link.read_text() == "text"
    link.unlink()
    link.symlink_to(tmp_path / "data" / "secret.txt")
    with pytest.raises(PermissionError):
        link.read_text()


@pytest.mark.parametrize("move", [os.link, os.rename, os.replace])
def test_no_file_gets_another_name_to_be_read_by(guard, tmp_path, move):
    with pytest.raises(PermissionError):
        move(tmp_path / "data" / "secret.txt", tmp_path / "data" / "view" / "mine.txt")
    assert guard.touched_hidden


def test_no_way_round_through_the_root_of_the_process(guard, tmp_path):
    if not Path("/proc/self/root").exists():
        pytest.skip("this system has no /proc")
    path = Path("/proc/self/root") / (tmp_path / "data" / "secret.txt").relative_to("/")
    with pytest.raises(PermissionError):
        path.read_text()


def test_writing_is_no_reading(guard, tmp_path):
    with (tmp_path / "log.txt").open("w") as file:
        file.write("text")
    assert guard.refused == []


def test_names_of_the_data_set_are_hidden_too(guard, tmp_path):
    assert [path.name for path in (tmp_path / "data" / "view").iterdir()] == ["ok.txt"]
    with pytest.raises(PermissionError):
        list((tmp_path / "data").iterdir())
    assert guard.touched_hidden


def test_no_other_process_and_no_connection(guard):
    with pytest.raises(PermissionError):
        subprocess.run(["true"], check=True)
    with pytest.raises(PermissionError), socket.socket() as connection:
        connection.connect(("127.0.0.1", 9))
    assert {"subprocess.Popen", "socket.connect"} <= set(guard.refused)


def test_a_guard_at_rest_looks_away(guard, tmp_path):
    guard.stop()
    assert (tmp_path / "elsewhere.txt").read_text() == "text"


CODE = """
import os, socket, sys
from pathlib import Path
from zoo.benchmark.sealed import landlock
abi = landlock.restrict([Path(sys.argv[1]), Path(sys.prefix), Path("/usr"), Path("/lib")])
print(abi)
print(Path(sys.argv[1], "ok.txt").read_text())
for path in sys.argv[2:]:
    try:
        print(open(path).read())
    except PermissionError:
        print("refused")
print(os.system(f"cat {sys.argv[2]} 2>/dev/null") != 0)
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_the_kernel_refuses_in_every_language_and_in_children(tmp_path):
    for name in ("view/ok.txt", "secret.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "view"), str(tmp_path / "secret.txt")],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    abi, *rest = done.stdout.split()
    assert int(abi) == landlock.version()
    assert rest[:3] == ["text", "refused", "True"]
    assert rest[3] == ("PermissionError" if int(abi) >= 4 else "ConnectionRefusedError")
