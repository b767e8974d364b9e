"""kill -9 at random moments of a grid, then the same command: the same table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_and_resume.py"


@pytest.mark.slow
def test_a_grid_that_was_killed_anywhere_gives_the_same_table(tmp_path):
    words = [sys.executable, str(SCRIPT), "--points", "5", "--seed", "3", "--work", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 points gave the same table" in done.stdout
