"""A run is made again when code that decides its numbers changes, and for no other code."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

import zoo
from zoo.cli import main
from zoo.runs import code
from zoo.runs.code import ROOMS, code_facts

ROOT = Path(zoo.__file__).parent


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of zoo whose code is looked at in the place of this one's."""
    shutil.copytree(ROOT, tmp_path / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "zoo" / "__init__.py"))
    monkeypatch.setattr(code, "zoo_code", code.zoo_code.__wrapped__)
    return tmp_path / "zoo"


def edit(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_code_of_a_room_below_the_runs_counts_whichever_it_is(copied, room):
    before = code_facts({})
    for path in (copied / room / "__init__.py", max((copied / room).rglob("*.py"))):
        edit(path)
        assert code_facts({}) != before
        before = code_facts({})
    (copied / room / "new.py").touch()
    assert code_facts({}) != before


def test_other_code_and_the_code_of_the_tiny_set_do_not_count(copied):
    before = code_facts({})
    rooms = {path.parent.name for path in copied.glob("*/__init__.py")}
    assert {"export", "benchmark", "results", "vand", "testing", "cli"} <= rooms - set(ROOMS)
    for room in rooms - set(ROOMS):
        edit(copied / room / "__init__.py")
    edit(copied / "__init__.py")
    for path in (copied / "data" / "tiny").glob("*.py"):
        edit(path)
    (copied / "data" / "__pycache__").mkdir()
    (copied / "data" / "__pycache__" / "images.pyc").touch()
    assert code_facts({}) == before


def test_runs_of_other_code_are_named_and_made_again_unless_they_are_accepted(
    recipe, mini, tmp_path, cheap_runs, monkeypatch, capsys
):
    def bench(*more: str) -> list[str]:
        words = ["bench", str(recipe), "--data.root", str(mini), "--out", str(tmp_path / "runs")]
        assert main([*words, *more]) == 0
        return capsys.readouterr().out.splitlines()

    bench()
    metrics = json.loads((tmp_path / "runs/quick/part/seed0/metrics.json").read_text())
    assert metrics["zoo_version"] == zoo.__version__
    assert metrics["zoo_commit"] == code.zoo_commit()
    assert len(metrics["code_hash"]) == 16
    monkeypatch.setattr(code, "zoo_code", lambda: "0" * 16)
    assert "  quick · part · seed 0 · finished before" in bench("--accept-old")
    assert len(cheap_runs.done) == 1
    planned = bench("--dry-run")
    assert [line for line in planned if "to do again, made by other code" in line]
    bench()
    assert len(cheap_runs.done) == 2
    again = json.loads((tmp_path / "runs/quick/part/seed0/metrics.json").read_text())
    assert again["code_hash"] != metrics["code_hash"]
    assert again["config_hash"] != metrics["config_hash"]
    assert again["settings_hash"] == metrics["settings_hash"]
    # Other settings are another run, whatever code made it.
    recipe.write_text(recipe.read_text().replace("q: 0.99", "q: 0.98"))
    bench("--accept-old")
    assert len(cheap_runs.done) == 3


def test_the_commit_is_that_of_the_checkout_and_there_may_be_none(tmp_path, monkeypatch):
    assert code.zoo_commit() is None or len(code.zoo_commit().removesuffix("+")) == 12
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "zoo" / "__init__.py"))
    assert code.zoo_commit.__wrapped__() is None


FILES = {
    "__init__.py": "",
    "ours/__init__.py": "from outside.ours.model import Ours\n",
    "ours/model.py": "from outside.shared import ops\nclass Ours:\n    pass\n",
    "ours/net/__init__.py": "",
    "ours/net/blocks.py": "",
    "ours/prompts.json": "{}",
    "ours/card.yaml": "",
    "ours/README.md": "",
    "shared/ops.py": "",
    "theirs/__init__.py": "class Theirs:\n    pass\n",
    "theirs/card.yaml": "",
}


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Return the folder of a package with two methods."""
    for name, text in FILES.items():
        path = tmp_path / "outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "data").mkdir()  # no package, whatever its name
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "outside"
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("outside")]:
        del sys.modules[name]


def facts() -> dict:
    """Return what a process that starts now would say."""
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("outside")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return code_facts({"model": {"class_path": "outside.ours.Ours"}})


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ours/model.py", True),
        ("ours/net/blocks.py", True),
        ("ours/prompts.json", True),
        ("shared/ops.py", True),
        ("theirs/__init__.py", False),
        ("ours/README.md", False),
        ("ours/card.yaml", False),
        ("../data/notes.py", False),
    ],
)
def test_a_method_counts_with_its_sub_packages_and_data(outside, name, counts):
    before = facts()
    path = outside / name
    path.write_text((path.read_text() if path.exists() else "") + "\n")
    assert (facts() != before) == counts


def test_another_method_that_the_class_inherits_from_counts(outside):
    (outside / "ours" / "model.py").write_text(
        "from outside.theirs import Theirs\nclass Ours(Theirs):\n    pass\n"
    )
    before = facts()
    (outside / "theirs" / "__init__.py").write_text("class Theirs:\n    edited = True\n")
    assert facts() != before


def test_code_that_is_edited_while_it_runs_is_that_which_was_loaded(outside):
    before = facts()
    (outside / "ours" / "model.py").write_text("class Ours:\n    edited = True\n")
    config = {"model": {"class_path": "outside.ours.Ours"}}
    assert code_facts(config) == before  # this process still computes with the old one
    (outside / "ours" / "prompts.json").write_text("[]")
    assert code_facts(config) != before  # data is read by every run


@pytest.mark.parametrize("package", ["torch", "anomalib", "timm", "numpy", "torchvision"])
def test_another_version_of_a_library_is_another_run(monkeypatch, package):
    before = code_facts({})
    real = code.versions()
    monkeypatch.setattr(code, "versions", lambda: real | {package: "0.0.1"})
    monkeypatch.setattr(code, "libraries", code.libraries.__wrapped__)
    assert code_facts({}) != before


def test_a_bundled_method_counts_with_what_it_shares_alone():
    from zoo_plugins.rdpp import lightning_model

    home = code.package_root("zoo_plugins")
    own = code.files_of_package(home, [Path(lightning_model.__file__)])
    folders = {path.relative_to(home).parts[0] for path in own}
    assert {"rdpp", "_distillation"} <= folders
    assert "patchcore" not in folders
