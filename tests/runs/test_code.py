"""A run is made again when code that decides its numbers changes, and for no other code."""

from __future__ import annotations

import ast
import importlib
import shutil
import sys
from pathlib import Path

import pytest

import zoo
from zoo.runs import code
from zoo.runs.code import DECIDING, code_facts

ROOT = Path(zoo.__file__).parent
# What the code of a run imports besides: it shows, writes, measures time, or finds files.
DECIDES_NOTHING = {"errors", "names", "paths", "schema", "hashes", "timing", "visualizer"}
DECIDES_NOTHING |= {"prediction", "runs.cases", "runs.case_image", "runs.folder", "runs.maps"}
DECIDES_NOTHING |= {"runs.progress", "runs.counted", "runs.documents", "atomic", "text", "__init__"}
DECIDES_NOTHING |= {"csv_file"}  # groups of images are hashed as they are read
# What parses, finds or checks recipes and methods: the configuration that comes out is hashed.
DECIDES_NOTHING |= {
    "engine",
    "parse_errors",
    "recipes",
    "registry",
    "card",
    "trust",
    "trust.parser",
}
DECIDES_NOTHING |= {"plain_yaml", "recipe_numbers"}


def imported(path: Path) -> set[Path]:
    """Return the modules of zoo that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in (name for name in names if name.partition(".")[0] == "zoo"):
            base = ROOT.parent / name.replace(".", "/")
            found |= {p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()}
    return found


def test_whatever_a_run_imports_counts_or_is_known_to_decide_nothing():
    counts = {path for name in DECIDING for path in (ROOT / name).rglob("*.py")}
    counts |= {ROOT / name for name in DECIDING if name.endswith(".py")}
    assert all(path.is_file() for path in counts)
    assert all((ROOT / name).exists() for name in DECIDING)
    used = {path for counted in counts for path in imported(counted)} - counts
    modules = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in used}
    modules = {name.removesuffix(".__init__") for name in modules}
    unknown = sorted(modules - DECIDES_NOTHING)
    assert not unknown, f"{unknown}: add it to DECIDING, or say here that it decides nothing"


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of zoo whose code is looked at in the place of this one's."""
    shutil.copytree(ROOT, tmp_path / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "zoo" / "__init__.py"))
    monkeypatch.setattr(code, "zoo_code", code.zoo_code.__wrapped__)
    return tmp_path / "zoo"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("post/finish.py", True),
        ("post/rules/levels.py", True),
        ("metrics/segf1.py", True),
        ("memory_bank/coreset.py", True),
        ("data/images.py", True),
        ("tiling/stitch.py", True),
        ("runs/evaluate.py", True),
        ("seeding.py", True),
        ("report/page.py", False),
        ("cli/bench.py", False),
        ("submission/check.py", False),
        ("standings/means.py", False),
        ("export/graph.py", False),
        ("data/tiny/beans.py", False),
    ],
)
def test_code_that_computes_counts_and_other_code_does_not(copied, name, counts):
    before = code_facts({})
    path = copied / name
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert (code_facts({}) != before) == counts


FILES = {
    "__init__.py": "",
    "ours/__init__.py": "from outside.ours.model import Ours\n",
    "ours/model.py": "from outside.shared import ops\nclass Ours:\n    pass\n",
    "ours/net/__init__.py": "",
    "ours/net/blocks.py": "",
    "ours/prompts.json": "{}",
    "ours/card.yaml": "",
    "ours/README.md": "",
    "shared/ops.py": "from outside_beside import helper\n",
    "theirs/__init__.py": "",
    "theirs/card.yaml": "",
}


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Return the folder of an installed package with two methods, and one beside it."""
    for name, text in FILES.items():
        path = tmp_path / "outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside_beside.py").write_text("helper = 1\n")
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
        ("../outside_beside.py", True),
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


def test_another_method_that_is_imported_counts(outside):
    (outside / "ours" / "model.py").write_text(
        "from outside import theirs\nclass Ours:\n    pass\n"
    )
    before = facts()
    (outside / "theirs" / "__init__.py").write_text("edited = True\n")
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

    home = code._home("zoo_plugins")
    own = code._files_of_package(home, [Path(lightning_model.__file__)])
    folders = {path.relative_to(home).parts[0] for path in own}
    assert {"rdpp", "_distillation"} <= folders
    assert "patchcore" not in folders
