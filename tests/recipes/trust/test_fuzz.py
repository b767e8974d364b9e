"""Random recipes: the reader and the check never do more than raise one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.recipes.numbers import check_numbers
from zoo.recipes.trust import check_recipe
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import parse_yaml

FUZZ = Path(__file__).parents[3] / "benchmarks" / "fuzz_trust.py"
_PIECES = [
    "model",
    "class_path",
    ": ",
    "- ",
    "\n",
    "  ",
    "&a ",
    "*a",
    "<<",
    "{",
    "}",
    "[",
    "]",
    ",",
]
_PIECES += ["'", '"', "|", "? ", "!!str ", "os.system", "torch.nn.Linear", "._", "1e999", ".nan"]
_PIECES += [
    "#",
    "---",
    "\t",
    "\0",
    "\x85",
    "\u2028",
    "\ud800",
    "9" * 20,
    "image_size: -1",
    "s3://x",
]


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=30).map("".join))
@example("a: &a [*a]")
@example("note: ._\nmodel: {class_path: subprocess.Popen}")
@example("- " * 2000)
@example("[" * 2000)
def test_a_text_is_plain_data_or_one_line(text):
    said = ""
    before = set(sys.modules)
    try:
        data = parse_yaml(text, "r.yaml")
        check_recipe(data, "r.yaml")
        check_numbers(data, "r.yaml")
    except ZooError as error:
        said = str(error)
    assert "\n" not in said
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not new & {"os", "subprocess", "unittest", "zoo_plugins"}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["recipes", "runs"])
def test_nothing_of_a_stranger_is_run_or_written(what, tmp_path):
    done = subprocess.run(
        [sys.executable, str(FUZZ), what, "150"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
