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
    ("encoding", "text", "name"),
    [
        ("utf-8", "patchcore · ö ± 0.3 ".encode(), b"\xff.png\n"),  # who reads it finds the file
        ("ascii", b"patchcore \\xb7 \\xf6 \\xb1 0.3 ", b"\\udcff.png\n"),
        ("cp1252", "patchcore · ö ± 0.3 ".encode("cp1252"), b"\\udcff.png\n"),
    ],
)
def test_symbols_and_bytes_of_names_pass(encoding, text, name):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, env=environment, check=True
    )
    assert done.stdout == text + name
    assert done.stderr == text + b"\\udcff.png\n"
