"""Fixtures: methods with one fault each, and a distribution that registers the sound one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zoo.methods import registry

FAKES = Path(__file__).parent / "fakes"
METADATA = "Metadata-Version: 2.1\nName: zoo-fakes\nVersion: 1.0\n"


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Return a function that installs a distribution with one method, and hides all others."""

    def install(name: str, target: str) -> None:
        info = tmp_path / "site" / "zoo_fakes-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(METADATA, "utf-8")
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{name} = {target}\n", "utf-8")
        monkeypatch.syspath_prepend(info.parent)
        monkeypatch.setenv(registry.ONLY, name)

    return install


@pytest.fixture
def fakes(monkeypatch):
    """Make the fake methods importable, and hide the registered ones."""
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.setenv(registry.ONLY, "")
    import zoo_fakes.broken
    import zoo_fakes.sound  # noqa: F401

    return sys.modules["zoo_fakes.broken"]
