"""A recipe that fits in a second."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from small_recipes import PATCHCORE


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "quick.yaml"
    path.write_text(PATCHCORE, encoding="utf-8")
    return path


@pytest.fixture
def interruptible():
    """Let SIGINT raise, also where a shell has ignored it for tests that run behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
