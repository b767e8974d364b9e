"""Every script of benchmarks/ starts: its imports exist and its help prints."""

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_every_benchmark_starts(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    for path in sorted(BENCHMARKS.glob("*.py")):
        if "ArgumentParser" not in path.read_text("utf-8"):
            continue  # a part of another one
        monkeypatch.setattr(sys, "argv", [str(path), "--help"])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(path), run_name="__main__")
        assert stop.value.code == 0, path.name
    assert "usage:" in capsys.readouterr().out
