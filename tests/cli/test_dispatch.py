"""The command's front door: help without heavy imports, errors of one line, the nearest word."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from zoo.cli import main
from zoo.cli.dispatch import ANOMALIB_VERBS, ZOO_VERBS

HEAVY = ("torch", "anomalib", "pandas", "lightning")


def test_help_names_every_verb(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    for verb in (*ZOO_VERBS, *ANOMALIB_VERBS):
        assert f"  {verb} " in printed


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("anomalib-zoo ")


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in ZOO_VERBS)])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom zoo.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bnech"], "unknown command 'bnech'; did you mean 'bench'?"),
        (["list", "--jsn"], "did you mean '--json'"),
        (["bench", "quickstart"], "--data.root"),
        (["bench", "quickstrat", "--data.root", "."], "no object in"),
        (["table", "nowhere"], "no results at nowhere"),
        (["table", ".", "--format", "xml"], "invalid choice: 'xml'"),
        (["tiny", "x", "--sed", "1"], "did you mean '--seed'"),
        (["show", "patchcor"], "did you mean 'patchcore'"),
    ],
)
def test_errors_are_one_line_and_mendable(words, says, capsys):
    assert main(words) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("zoo: ")
    assert error.count("\n") == 1


def test_an_unknown_recipe_offers_the_nearest(mini, capsys):
    assert main(["bench", "patchcore/embeded", "--data.root", str(mini)]) == 1
    assert "patchcore/embedded" in capsys.readouterr().err


def test_debug_shows_where_an_error_comes_from():
    from zoo.utils.errors import ZooError

    with pytest.raises(ZooError):
        main(["table", "nowhere", "--debug"])


def test_a_closed_pipe_is_no_error():
    command = [sys.executable, "-c", "from zoo.cli import main; main(['list', '--json'])"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert "Traceback" not in done.stderr
