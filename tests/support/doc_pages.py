"""Blocks of README.md and of the pages in docs/."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def blocks(page: str, language: str) -> list[str]:
    """Return the text of every fenced block of a page, a path below the repository's root."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def commands(page: str, replaced: dict[str, str] | None = None) -> list[list[str]]:
    """Return the words of every command of a page's `sh` blocks, with some texts replaced."""
    found = []
    for line in (line for block in blocks(page, "sh") for line in block.splitlines()):
        for old, new in (replaced or {}).items():
            line = line.replace(old, new)
        if words := shlex.split(line, comments=True):
            found.append(words)
    return found
