"""Mutates recipes and run folders at random and watches what the zoo does with them.

    python benchmarks/fuzz_trust.py recipes 5000
    python benchmarks/fuzz_trust.py runs 2000

A recipe goes through `zoo.recipes.experiment.load` until its model is built, a run folder through
`zoo.load`. A hook watches the process. What counts as a fault: code is imported that no honest
recipe imports, a process or a connection is started, something outside the scratch folder is
written, an error is not one line, or a case takes more than ten seconds of processor time.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.recipes.experiment import load
from zoo.recipes.files import find_recipe
from zoo.runs.run import config_text
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import dump_yaml, read_yaml

SECONDS = 10
DATA = {"init_args": {"root": "data", "category": "part"}}
BASES = [
    "quickstart",
    "patchcore/demo",
    "rd/demo",
    "superad/demo",
    "padim/stock",
    "efficientad/demo",
]
NAMES = [
    "os.system",
    "subprocess.Popen",
    "builtins.exec",
    "functools.partial",
    "pathlib.Path",
    "webbrowser.open",
    "pdb.run",
    "unittest.__main__.png",
    "this",
    "antigravity.x",
    "canary.run",
    "canary.Part",
    "x.y",
    "torch.os.system",
    "torch.load",
    "torch.hub.load",
    "torch.nn.Transformer",
    "torch.nn.Sequential",
    "torch.nn.Identity",
    "torch.nn.functional.relu",
    "torchvision.datasets.FakeData",
    "torchvision.transforms.v2.Lambda",
    "torchvision.transforms.v2.Compose",
    "torchvision.transforms.v2.Resize",
    "CSVLogger",
    "ModelCheckpoint",
    "lightning.pytorch.loggers.CSVLogger",
    "lightning.pytorch.callbacks.ModelCheckpoint",
    "anomalib.models.EfficientAd",
    "anomalib.models.Padim",
    "anomalib.data.Visa",
    "anomalib.visualization.ImageVisualizer",
    "anomalib.pre_processing.PreProcessor",
    "zoo.cli.main",
    "zoo.recipes.experiment.Experiment",
    "zoo.postprocess.Mebin",
    "zoo.methods.evaluator.RawEvaluator",
]
TEXTS = [
    "._",
    "~",
    "no",
    "01",
    "1e3",
    "../../x",
    "/elsewhere/x",
    "$HOME/x",
    "~/x",
    "hf-hub:a/b",
    "memory://x.yaml",
    "http://localhost/x",
    "canary.yaml",
    "{class_path:canary.Part}",
    "[canary.run]",
    "!!python/name:os.system",
    "null",
    "-",
    "${x}",
]
TEXTS += ["", "a\0b", "{class_path: canary.Part}", "\x1b[2J", "&a [*a]", "\ud800", "é" * 300]
NUMBERS: list[Any] = [0, -1, -64, 1, 3, 1e9, 10**15, 1e-300, 0.5, True, 2**31, -0.0, 1.5]
BYTES = [b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\t", b"\r", b"|\n"]
BYTES += [b"? [a]\n: b\n", b"!!python/name:os.system ", b"---\n", b"%YAML 1.1\n", b"note: ._\n"]
BYTES += [b"'", b'"', b"#", b": ", b"- ", b"\n  ", b"&a ", b"*a", b"<<: *a\n", b"[" * 200]
BYTES += [b"{a: " * 100, b"9" * 5000, b"a: &a [b, b]\nc: &c [*a, *a]\n"]
SECTIONS = [
    "class_path",
    "init_args",
    "dict_kwargs",
    "pre_processor",
    "post_processor",
    "evaluator",
    "visualizer",
    "transform",
    "callbacks",
    "logger",
    "profiler",
    "plugins",
    "strategy",
    "tiling",
    "optimizer",
    "lr_scheduler",
    "weights",
    "backbone",
    "root",
    "category",
    "default_root_dir",
    "output_dir",
    "ckpt_path",
    "train_augmentations",
    "rule",
    "note",
    "trainer",
    "model",
    "data",
    "args",
    "lambd",
    "size",
    "shell",
]


_STARTS = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "webbrowser.")
_STARTS += ("socket.connect", "socket.getaddrinfo", "urllib.")
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.symlink", "os.rmdir", "os.link"}


class Watch:
    """Notes what a process does that reading a file must not do."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch.resolve()
        self.found: list[str] = []
        self.on = False
        # What honest recipes import.
        self.modules: set[str] = set()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if not self.on:
            return
        is_open = event == "open" and _writes(*arguments[1:3])
        if event == "import" and arguments[0].partition(".")[0] not in self.modules:
            self.found.append(f"import {arguments[0]}")
        elif event.startswith(_STARTS):
            self.found.append(f"{event} {arguments!r}"[:200])
        elif is_open or event in _CHANGES:
            self._written(event, arguments[0])

    def _written(self, event: str, path: Any) -> None:
        if isinstance(path, int) or str(path) == os.devnull:
            return
        where = Path(
            os.path.realpath(os.fspath(path) if not isinstance(path, bytes) else os.fsdecode(path))
        )
        if not where.is_relative_to(self.scratch):
            self.found.append(f"{event} {where}")


def _writes(mode: Any, flags: int) -> bool:
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def places(data: Any) -> list[tuple[Any, Any]]:
    """Return every container in nested data with each of its keys."""
    found = []
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            found += [(data, key), *places(data[key])]
    return found


def leaf(draw: random.Random) -> Any:
    """Return something that might be dangerous."""
    kind = draw.randrange(7)
    if kind == 0:
        return draw.choice(NUMBERS)
    if kind == 1:
        return draw.choice(TEXTS)
    if kind == 2:
        return [leaf(draw) for _ in range(draw.randrange(3))]
    if kind <= 4:
        return draw.choice(NAMES)
    arguments = {draw.choice(SECTIONS): leaf(draw)}
    return {"class_path": draw.choice(NAMES), draw.choice(["init_args", "dict_kwargs"]): arguments}


def mutated(data: Any, draw: random.Random) -> bytes:
    """Return a recipe with one to four changes, of its data or of its text."""
    data = json.loads(json.dumps(data))
    for _ in range(draw.randint(0, 3)):
        container, key = draw.choice(places(data) or [(data, "model")])
        change = draw.randrange(4)
        if change == 0 and isinstance(container, dict):
            container[draw.choice(SECTIONS)] = leaf(draw)
        elif change == 1:
            container.pop(key, None) if isinstance(container, dict) else container.pop(key)
        elif change == 2:
            other, name = draw.choice(places(data) or [({"a": 0}, "a")])
            container[key] = json.loads(json.dumps(other[name]))
        else:
            container[key] = leaf(draw)
    text = dump_yaml(data).encode("utf-8", "surrogatepass")
    if draw.random() < 0.01:
        return text.decode("utf-8", "replace").encode("utf-16")
    for _ in range(draw.choice([0, 0, 0, 1, 2])):
        at = draw.randrange(len(text) + 1)
        cut = at + draw.choice([0, 0, 1, 8])
        text = text[:at] + draw.choice([*BYTES, draw.randbytes(3)]) + text[cut:]
    return text


def recipe_case(scratch: Path, draw: random.Random, bases: list[Any]) -> Callable[[], None]:
    """Write a recipe and return what reads it, parses it and now and then builds its model."""
    path = scratch / "r.yaml"
    path.write_bytes(mutated(draw.choice(bases), draw))
    is_whole = draw.random() < 0.05  # building a model takes a second
    overrides = draw.choice(
        [{}, {}, {"model.post_processor.rule.q": 0.5}, {"trainer.max_steps": 1}]
    )

    def run() -> None:
        experiment = load(path, data=DATA, overrides=overrides)
        config_text(experiment)
        if is_whole:
            experiment.build()

    return run


def run_case(scratch: Path, draw: random.Random, run: Path) -> Callable[[], None]:
    """Write a run folder with one to three damaged files and return what loads it."""
    folder = scratch / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run, folder)
    for _ in range(draw.randint(1, 3)):
        path = draw.choice([folder / "config.yaml"] * 3 + sorted(folder.rglob("*.*")))
        if path.suffix == ".yaml":
            path.write_bytes(mutated(read_yaml(run / path.name), draw))
        elif path.suffix == ".json" and draw.random() < 0.7:
            data = json.loads((run / path.relative_to(folder)).read_text())
            container, key = draw.choice(places(data) or [({"a": 0}, "a")])
            container[key] = leaf(draw)
            path.write_text(json.dumps(data))
        else:
            held = bytearray(path.read_bytes())
            for _ in range(draw.randint(1, 40)):
                held[draw.randrange(len(held))] = draw.randrange(256)
            path.write_bytes(bytes(held))

    def load() -> None:
        import zoo

        zoo.load(folder, device="cpu")

    return load


def honest_run(scratch: Path) -> Path:
    """Fit a small model and return its run folder."""
    import cv2
    import numpy as np

    from zoo.cli import main

    for name, count in (("train/good", 4), ("validation/good", 3), ("test_public/good", 2)):
        (scratch / "data/part" / name).mkdir(parents=True)
        for index in range(count):
            pixels = np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)
            cv2.imwrite(str(scratch / "data/part" / name / f"{index:03d}_regular.png"), pixels)
    recipe = scratch / "quick.yaml"
    recipe.write_text(
        "model:\n  class_path: ZooPatchcore\n"
        "  init_args: {image_size: 64, weights: random, bank_size: 40}\n"
        "data: {class_path: zoo.data.MVTecAD2Layout}\n"
    )
    words = [
        "bench",
        str(recipe),
        "--data.root",
        str(scratch / "data"),
        "--out",
        str(scratch / "r"),
    ]
    assert main([*words, "--splits", "test_public"]) == 0
    return scratch / "r/quick/part/seed0"


def main() -> int:
    """Try as many cases as were asked for and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("recipes", "runs"))
    parser.add_argument("n", type=int)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve()
    os.environ["ANOMALIB_ZOO_CACHE"] = str(scratch / "cache")
    tempfile.tempdir = str(scratch)
    os.chdir(scratch)
    marker = scratch / "ran"
    (scratch / "canary.py").write_text(
        f"open({str(marker)!r}, 'w')\ndef run(*a): pass\nclass Part: pass\n"
    )
    (scratch / "canary.yaml").write_text("class_path: canary.Part\n")
    sys.path.insert(0, str(scratch))
    watch = Watch(scratch)

    bases = [read_yaml(find_recipe(name).path) for name in BASES]
    for name in BASES:  # what honest recipes import
        config_text(load(name, data=DATA))
        load(name, data=DATA).build()
    run = honest_run(scratch)
    import zoo

    zoo.load(run, device="cpu")
    watch.modules = {name.partition(".")[0] for name in sys.modules}
    counts: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    for index in range(args.n):
        draw = random.Random(f"{args.what} {args.seed} {index}")
        if args.what == "recipes":
            case = recipe_case(scratch, draw, bases)
        else:
            case = run_case(scratch, draw, run)
        watch.found, watch.on, begin = [], True, time.process_time()
        try:
            case()
            counts["accepted"] += 1
        except ZooError as error:
            counts["refused"] += 1
            if "\n" in str(error):
                watch.found.append(f"two lines: {error}")
        except BaseException as error:
            watch.found.append(f"{type(error).__name__}: {str(error)[:300]!r}")
        watch.on = False
        seconds = time.process_time() - begin
        slowest = max(slowest, seconds)
        if seconds > SECONDS:
            watch.found.append(f"took {seconds:.1f} s")
        if marker.exists():
            watch.found.append("the canary was imported")
            marker.unlink()
        for fault in watch.found:
            counts[fault.partition(" ")[0]] += 1
            print(f"case {index}: {fault}", flush=True)
        if index % 100 == 99:
            print(f"{index + 1}: {dict(counts)}, slowest {slowest:.1f} s", flush=True)
    print(f"{args.n} {args.what}: {dict(counts)}, slowest {slowest:.1f} s")
    shutil.rmtree(scratch, ignore_errors=True)
    return int(set(counts) - {"accepted", "refused"} != set())


if __name__ == "__main__":
    sys.exit(main())
