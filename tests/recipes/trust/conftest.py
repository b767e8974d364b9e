"""A package of a stranger that leaves a marker where it is imported."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Put a module on the path that leaves a marker when it is imported; return the marker."""
    marker = tmp_path / "marker"
    folder = tmp_path / "strange"
    (folder / "outer").mkdir(parents=True)
    code = f"open({str(marker)!r}, 'w')\nclass Method: pass\ndef run(*args): pass\n"
    (folder / "stranger.py").write_text(code)
    (folder / "outer" / "inner.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(tmp_path)
    for name in ("stranger", "outer", "outer.inner"):
        sys.modules.pop(name, None)  # of another test
    yield marker
    for name in ("stranger", "outer", "outer.inner"):
        sys.modules.pop(name, None)
