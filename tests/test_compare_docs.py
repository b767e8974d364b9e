"""Every command of docs/compare.md is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from zoo.cli.dispatch import ZOO_VERBS, Parser

PAGE = (Path(__file__).parents[1] / "docs" / "compare.md").read_text("utf-8")
COMMANDS = [
    words
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    for line in block.splitlines()
    if (words := shlex.split(line, comments=True))
]


def test_there_are_commands():
    assert {words[1] for words in COMMANDS} >= {"bench", "verify", "table", "reproduce", "relight"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_page_is_understood(words):
    program, verb, *rest = words
    assert program == "zoo"
    assert verb in ZOO_VERBS
    module = import_module(f"zoo.cli.{verb}")
    parser = Parser(prog=f"zoo {verb}", allow_abbrev=False)
    module.add_arguments(parser)
    parser.parse_args(rest)


def test_the_lines_of_python_print_what_the_page_shows(monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[1])
    lines, printed = re.search(r"```python\n(.*?)```\n```\n(.*?)```", PAGE, re.S).groups()
    exec(lines, {})
    assert capsys.readouterr().out == printed
