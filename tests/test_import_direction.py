"""Who may import whom: plugins -> zoo -> anomalib, pure code stays pure, light code stays light."""

import ast
import sys
from pathlib import Path

import pytest
import yaml

from zoo.testing.objects import OBJECT_NAMES

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "zoo").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins" / "zoo_plugins").rglob("*.py"))
PURE = [
    *(ROOT / "zoo" / "post" / f"{name}.py" for name in ("calibration", "finish", "resize")),
    *(ROOT / "zoo" / "post" / f"{name}.py" for name in ("background", "morphology", "mebin")),
    *(ROOT / "zoo" / "post" / f"{name}.py" for name in ("scenes", "spool", "false_alarms")),
    ROOT / "zoo" / "post" / "doubt.py",
    *sorted((ROOT / "zoo" / "post" / "rules").glob("*.py")),
    *sorted((ROOT / "zoo" / "data" / "synthetic").glob("*.py")),
    *sorted((ROOT / "zoo" / "metrics").glob("*.py")),
    *(ROOT / "zoo" / "export" / f"{name}.py" for name in ("metadata", "agreement", "scope")),
]
LIGHT = ["__init__", "registry", "card", "recipes", "errors", "table"]
LIGHT += ["card_page", "card_text", "catalogue", "documents", "recipe_facts"]
LIGHT += [f"{package}/__init__" for package in ("cli", "data", "data/relight", "post", "testing")]
LIGHT += [f"standings/{name}" for name in ("__init__", "board", "markdown", "published")]
LIGHT += [f"standings/{name}" for name in ("cost", "means", "ranks", "rows", "server", "tables")]
LIGHT += [f"standings/{name}" for name in ("aggregate", "by_object")]
LIGHT += ["pareto", "cli/report", "report/__init__"]
LIGHT += [f"report/{name}" for name in ("svg", "bars", "dumbbells", "scatter", "curves")]
LIGHT += [f"report/{name}" for name in ("page", "pictures", "runs")]
LIGHT += [f"sealed/{name}" for name in ("__init__", "attestation", "guard", "landlock", "reads")]
LIGHT += [f"reproduction/{name}" for name in ("__init__", "images", "rows", "verdict")]
LIGHT += [
    "sealed/process",
    "cli/reproduce",
    "cli/verify",
    "hashes",
    "vand4",
    "trust/__init__",
    "data/relight/light",
]
# An exported model runs where no torch is.
LIGHT += [f"export/{name}" for name in ("__init__", "metadata", "files", "runtimes", "model")]
LIGHT += [f"export/{name}" for name in ("agreement", "cost", "intact", "precision", "scope")]
LIGHT += ["judging", "prediction", "pareto", "runs/predict", "runs/sources", "runs/watch"]
LIGHT += ["pick/budget", "pick/candidates", "cli/pick"]
LIGHT += [f"cli/{verb}" for verb in ("dispatch", "list", "show", "table", "tiny")]
LIGHT += [f"cli/{verb}" for verb in ("doctor", "bench", "demo", "fit", "predict", "export")]
LIGHT += ["cli/calibrate", "cli/relight", "cli/submit", "submission/check", "submission/write"]
LIGHT = [ROOT / "zoo" / f"{name}.py" for name in LIGHT]
HEAVY = {"torch", "torchvision", "anomalib", "lightning", "timm", "kornia"}
MOST_LINES = 400


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "plugins" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file(module: str) -> Path | None:
    """Return the source of a module of this repository."""
    base = ROOT / ("plugins" if module.startswith("zoo_plugins") else "") / module.replace(".", "/")
    found = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found[0] if found else None


def _nodes(tree: ast.AST, whole: bool):
    """Yield the nodes that run on import, or all of them."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if whole or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _nodes(child, whole)


def imports(path: Path, whole: bool = True) -> set[str]:
    """Return the full names of what a file imports, anywhere or only when it is imported."""
    found = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), whole):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{_name(path)}: relative imports are not used here"
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if _file(name) else node.module for name in modules}
    return found


def reached(path: Path, whole: bool = False) -> set[str]:
    """Return what importing a file imports, through our own modules."""
    todo, seen, found = [path], set(), set()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for name in imports(current, whole):
            found.add(name)
            parts = name.split(".")
            chain = [_file(".".join(parts[:count])) for count in range(1, len(parts) + 1)]
            todo += [file for file in chain if file]
    return found


def _top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_there_is_something_to_walk():
    assert len(CORE) > 30
    assert {_module(path) for path in PLUGINS} >= {"zoo_plugins.patchcore.lightning_model"}
    assert all(path.is_file() for path in [*PURE, *LIGHT])


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_the_core_imports_no_method(path):
    assert "zoo_plugins" not in _top(imports(path))


@pytest.mark.parametrize("path", PLUGINS, ids=_name)
def test_a_method_imports_no_other_method(path):
    own = _module(path).split(".")[1:2]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "zoo_plugins":
            shared = parts[1].startswith("_")
            assert shared or parts[1:2] == own, f"{_name(path)} imports {name}"


@pytest.mark.parametrize("path", PURE, ids=_name)
def test_pure_code_needs_numpy_and_opencv_only(path):
    # and pydantic, by which whatever is read from a file is checked
    light = {"numpy", "cv2", "zoo", "pydantic", "typing_extensions"}
    foreign = _top(reached(path, whole=False)) - set(sys.stdlib_module_names)
    assert foreign <= light
    named = _top(imports(path)) - set(sys.stdlib_module_names)
    assert named <= light


@pytest.mark.parametrize("path", sorted((ROOT / "zoo" / "memory_bank").glob("*.py")), ids=_name)
def test_memory_banks_need_torch_only(path):
    foreign = _top(reached(path)) - set(sys.stdlib_module_names)
    assert foreign <= {"torch", "psutil", "zoo"}


@pytest.mark.parametrize("path", LIGHT, ids=_name)
def test_light_modules_import_nothing_heavy(path):
    heavy = {name for name in reached(path) if name.split(".")[0] in HEAVY}
    assert not heavy, f"importing {_name(path)} imports {', '.join(sorted(heavy))}"


@pytest.mark.parametrize("path", [*CORE, *PLUGINS], ids=_name)
def test_no_file_is_too_long_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", PLUGINS, ids=_name)
def test_no_method_names_an_object(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value.lower() not in OBJECT_NAMES, f"{_name(path)}:{node.lineno}"


def _values(node: object):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _values(key)
            yield from _values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value)
    else:
        yield node


YAML_FILES = sorted([*(ROOT / "recipes").rglob("*.yaml"), *(ROOT / "plugins").rglob("*.yaml")])


@pytest.mark.parametrize("path", YAML_FILES, ids=_name)
def test_no_recipe_names_an_object(path):
    values = _values(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert not {str(value).lower() for value in values} & OBJECT_NAMES


def test_the_walk_sees_what_it_should(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lightning\n"
        "try:\n    import timm\nexcept ImportError:\n    pass\n"
        "class A:\n    from zoo.post import finish\ndef f():\n    import torch.nn\n",
        encoding="utf-8",
    )
    assert imports(path, whole=False) == {"typing", "timm", "zoo.post.finish"}
    assert imports(path) == {"typing", "timm", "zoo.post.finish", "torch.nn"}
    assert "cv2" in reached(path)
