"""Who may import whom: plugins -> zoo -> anomalib, pure code stays pure, light code stays light."""

import ast
import sys
from functools import cache
from pathlib import Path

import yaml

from zoo.testing.objects import OBJECT_NAMES

ROOT = Path(__file__).parents[1]
# What `zoo submit --kit` writes into somebody else's repository is no code of ours.
CORE = sorted({*(ROOT / "zoo").rglob("*.py")} - {*(ROOT / "zoo").glob("vand/**/files/**/*.py")})
PLUGINS = sorted((ROOT / "plugins" / "zoo_plugins").rglob("*.py"))
# A room imports only rooms that stand before it, inside functions too.
ROOMS = ["utils", "metrics", "postprocess", "data", "predict", "methods", "recipes"]
ROOMS += ["export", "runs", "benchmark", "results", "vand", "testing", "cli"]


def _files(*patterns: str) -> list[Path]:
    return sorted({path for pattern in patterns for path in (ROOT / "zoo").glob(pattern)})


PURE = _files("metrics/*.py", "postprocess/**/*.py", "data/synthetic/*.py", "predict/metadata.py")
PURE += _files("export/agreement.py", "export/scope.py")
# Without torch: what lists, tables and reports, and what runs an exported graph.
LIGHT = _files("*/__init__.py", "__init__.py", "postprocess/**/*.py", "metrics/*.py")
LIGHT += _files("results/*.py", "results/report/*.py")
LIGHT += _files("predict/*.py", "methods/registry.py", "methods/card.py", "recipes/files.py")
LIGHT += _files("methods/admissibility.py", "recipes/trust/__init__.py", "data/relight/light.py")
LIGHT += _files("data/relight/__init__.py", "vand/reproduction.py", "vand/submission/check.py")
LIGHT += _files("vand/submission/write.py", "benchmark/sealed/*.py", "export/agreement.py")
LIGHT += _files(
    "export/cost.py", "export/precision.py", "export/scope.py", "benchmark/pick/choice.py"
)
LIGHT += _files("benchmark/pick/candidates.py", "cli/*.py")
HEAVY_ONES = {"results/efficiency.py", "results/robustness.py", "predict/torch_predictor.py"}
HEAVY_ONES |= {
    "benchmark/sealed/repeat.py",
    "benchmark/sealed/run.py",
}
HEAVY_ONES |= {"cli/anomalib.py"}
LIGHT = [path for path in LIGHT if path.relative_to(ROOT / "zoo").as_posix() not in HEAVY_ONES]
HEAVY = {"torch", "torchvision", "anomalib", "lightning", "timm", "kornia"}
MOST_LINES = 400


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "plugins" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _file(module: str) -> Path | None:
    """Return the source of a module of this repository."""
    base = ROOT / ("plugins" if module.startswith("zoo_plugins") else "") / module.replace(".", "/")
    found = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found[0] if found else None


def _room(module: str) -> str:
    """Return the room of one of our modules, nothing for the root and for foreign modules."""
    parts = module.split(".")
    return parts[1] if parts[0] == "zoo" and len(parts) > 1 and parts[1] in ROOMS else ""


def _nodes(tree: ast.AST, whole: bool):
    """Yield the nodes that run on import, or all of them."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if whole or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _nodes(child, whole)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, whole: bool = True) -> frozenset[str]:
    """Return the full names of what a file imports, anywhere or only when it is imported."""
    found = set()
    for node in _nodes(_tree(path), whole):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{_name(path)}: relative imports are not used here"
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if _file(name) else node.module for name in modules}
    return frozenset(found)


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
    rooms = {path.name for path in (ROOT / "zoo").iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(ROOMS)
    files = {path.name for path in (ROOT / "zoo").iterdir() if path.is_file()}
    assert files == {"__init__.py", "py.typed"}


def test_rooms_import_only_what_stands_below_them():
    wrong = []
    for path in CORE:
        own = _room(_module(path))
        below = [*ROOMS[: ROOMS.index(own)], own] if own else ROOMS
        wrong += [
            f"{_name(path)} imports {name}"
            for name in imports(path)
            if _room(name) and _room(name) not in below
        ]
    assert not wrong


def test_the_core_imports_no_method():
    assert not [_name(path) for path in CORE if "zoo_plugins" in _top(imports(path))]


def test_a_method_imports_no_other_method():
    wrong = []
    for path in PLUGINS:
        own = _module(path).split(".")[1:2]
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "zoo_plugins" and not parts[1].startswith("_") and parts[1:2] != own:
                wrong.append(f"{_name(path)} imports {name}")
    assert not wrong


def test_pure_code_needs_numpy_and_opencv_only():
    # and pydantic, by which whatever is read from a file is checked
    light = {"numpy", "cv2", "zoo", "pydantic", "typing_extensions", *sys.stdlib_module_names}
    found = {_name(path): _top(reached(path) | imports(path)) - light for path in PURE}
    assert not {name: foreign for name, foreign in found.items() if foreign}


def test_memory_banks_need_torch_only():
    known = {"torch", "psutil", "zoo", *sys.stdlib_module_names}
    paths = sorted((ROOT / "zoo" / "methods" / "memory_bank").glob("*.py"))
    found = {_name(path): _top(reached(path)) - known for path in paths}
    assert paths
    assert not {name: foreign for name, foreign in found.items() if foreign}


def test_light_modules_import_nothing_heavy():
    found = {_name(path): _top(reached(path)) & HEAVY for path in LIGHT}
    assert not {name: heavy for name, heavy in found.items() if heavy}


def test_no_file_is_too_long_to_read():
    lengths = {
        _name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CORE + PLUGINS
    }
    assert not {name: length for name, length in lengths.items() if length > MOST_LINES}


def test_no_method_names_an_object():
    wrong = []
    for path in PLUGINS:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Constant) and str(node.value).lower() in OBJECT_NAMES:
                wrong.append(f"{_name(path)}:{node.lineno}")
    assert not wrong


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


def test_no_recipe_names_an_object():
    wrong = []
    for path in [*(ROOT / "recipes").rglob("*.yaml"), *(ROOT / "plugins").rglob("*.yaml")]:
        values = _values(yaml.safe_load(path.read_text(encoding="utf-8")))
        wrong += [_name(path) for value in values if str(value).lower() in OBJECT_NAMES]
    assert not wrong


def test_the_walk_sees_what_it_should(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lightning\n"
        "try:\n    import timm\nexcept ImportError:\n    pass\n"
        "class A:\n    from zoo.postprocess import finish\ndef f():\n    import torch.nn\n",
        encoding="utf-8",
    )
    assert imports(path, whole=False) == {"typing", "timm", "zoo.postprocess.finish"}
    assert imports(path) == {"typing", "timm", "zoo.postprocess.finish", "torch.nn"}
    assert "cv2" in reached(path)
