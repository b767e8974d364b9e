"""What a command prints reaches every console, pipe and file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import sys
from zoo.utils.process import print_any_text
print_any_text()
text = "patchcore · ö ± 0.3 \\udcff.png"
print(text)
print(text, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("encoding", "symbol", "letter", "plus"),
    [
        ("utf-8", "·".encode(), "ö".encode(), "±".encode()),
        ("ascii", b"-", b"\\xf6", b"+-"),
        ("cp932", b"-", b"\\xf6", "±".encode("cp932")),
        ("cp1252", b"\xb7", b"\xf6", b"\xb1"),
    ],
)
def test_symbols_and_bytes_of_names_pass(encoding, symbol, letter, plus):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, env=environment, check=True
    )
    text = b"patchcore " + symbol + b" " + letter + b" " + plus + b" 0.3 "
    assert done.stdout == text + b"\xff.png\n"  # whoever reads the pipe finds the file
    assert done.stderr == text + b"\\udcff.png\n"
