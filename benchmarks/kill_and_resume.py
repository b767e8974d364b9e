"""Is the table the same after kill -9 at any moment of a grid, and the same command again?

    python benchmarks/kill_and_resume.py --points 20 --seed 0 --work DIR

A memory bank and a network that is trained run on a few small images, once undisturbed. Then, for
every point: a process that runs the same grid kills itself at a random change to its output folder
(a file opened for writing, renamed or removed; so every phase is met, also on a busy machine) or up
to 50 ms after it, in the middle of what it was writing; the command is repeated, and table and
calibrations must be those of the undisturbed grid. Exit code 1 if they are not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

MOST_DELAY_SECONDS = 0.05
COUNTED = "changes.txt"  # where a process that was not killed writes how many it made
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
DATA = """
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 3, eval_batch_size: 4}
"""
RECIPES = {
    "bank": """model:
  class_path: ZooPatchcore
  init_args: {image_size: 64, coreset_sampling_ratio: 0.1}
""",
    "trained": """model:
  class_path: anomalib.models.Stfpm
  init_args:
    backbone: efficientnet_lite0_embedded
    layers: [blocks.1]
    pre_processor:
      class_path: anomalib.pre_processing.PreProcessor
      init_args:
        transform:
          class_path: torchvision.transforms.v2.Resize
          init_args: {size: [64, 64], antialias: true}
    post_processor: {class_path: zoo.methods.BlobPostProcessor}
    evaluator: {class_path: zoo.methods.evaluator.RawEvaluator}
trainer:
  max_epochs: 2
  check_val_every_n_epoch: 1000
""",
}


def main() -> int:
    """Try all points and say how each went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="to be filled")
    args = parser.parse_args()
    work = args.work.resolve()
    recipes = prepare(work)
    whole = work / "undisturbed"
    if _in_a_process(work, recipes, whole, kill_at=None, delay=0.0):
        raise SystemExit("the undisturbed grid failed")
    n_changes, wanted = int((work / COUNTED).read_text()), results(whole)
    draw, n_bad = random.Random(args.seed), 0
    for point in range(args.points):
        at, delay = draw.randrange(n_changes), draw.uniform(0.0, MOST_DELAY_SECONDS)
        out = work / f"point{point}"
        code = _in_a_process(work, recipes, out, at, delay)
        left = sorted(path.name for path in out.glob("*/*/*")) if out.is_dir() else []
        again = _bench(recipes, work, out)
        same = again == 0 and results(out) == wanted and not _leftovers(out)
        n_bad += not same
        print(
            f"point {point + 1}/{args.points}: change {at} of {n_changes} + {1e3 * delay:.0f} ms, "
            f"{'killed' if code == -signal.SIGKILL else f'exit code {code}'}, "
            f"left {' '.join(left) or 'nothing'}: {'the same table' if same else 'DIFFERS'}",
            flush=True,
        )
        if same:
            shutil.rmtree(out)
    print(f"{args.points - n_bad} of {args.points} points gave the same table")
    return 1 if n_bad else 0


def prepare(work: Path) -> list[str]:
    """Write data and recipes, and return the recipes' files."""
    from zoo.testing.data import write_part

    write_part(work / "data")
    paths = {work / f"{name}.yaml": text + DATA for name, text in RECIPES.items()}
    for path, text in paths.items():
        path.write_text(f"# For kill_and_resume.\n{text}", encoding="utf-8")
    return [str(path) for path in paths]


def results(out: Path) -> list[dict[str, Any]]:
    """Return the table without what depends on the clock, and the calibrations."""
    from zoo.results.rows import COST, read_rows

    rows = read_rows([out]).drop(columns=list(COST)).to_dict("records")
    paths = sorted(out.rglob("calibration.json"))
    calibrations = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return json.loads(json.dumps([rows, calibrations], default=str).replace("NaN", "null"))


def _leftovers(out: Path) -> list[Path]:
    return [path for path in out.glob("*/*/*") if path.suffix]


def _bench(recipes: list[str], work: Path, out: Path) -> int:
    """Run the grid in this process, quietly."""
    import contextlib
    import io

    from zoo.cli import main as zoo

    words = ["bench", *recipes, "--data.root", str(work / "data"), "--out", str(out)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = zoo([*words, "--seeds", "0", "1"])
    if code:
        print(said.getvalue())
    return code


def _in_a_process(
    work: Path, recipes: list[str], out: Path, kill_at: int | None, delay: float
) -> int:
    """Run the grid in a process of its own that kills itself, and return its exit code."""
    job = {"work": str(work), "recipes": recipes, "out": str(out), "at": kill_at, "delay": delay}
    words = [sys.executable, __file__, "--child", json.dumps(job)]
    return subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode


def child(job: dict[str, Any]) -> int:
    """Count changes to the output folder and, at the wanted one, set off the kill."""
    from zoo.runs import resume as resume

    resume.BLOCK_SECONDS, resume.SAVING_SHARE = 0.0, 1e9  # a state after every step
    Path(job["out"]).mkdir(parents=True, exist_ok=True)
    made = 0

    def heard(event: str, args: tuple[Any, ...]) -> None:
        nonlocal made
        writes = (
            event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if (writes or event in CHANGES) and str(args[0]).startswith(job["out"]):
            if made == job["at"]:
                kill = threading.Timer(job["delay"], os.kill, (os.getpid(), signal.SIGKILL))
                kill.start()
            made += 1

    sys.addaudithook(heard)
    code = _bench(job["recipes"], Path(job["work"]), Path(job["out"]))
    (Path(job["work"]) / COUNTED).write_text(str(made))
    return code


if __name__ == "__main__":
    sys.exit(child(json.loads(sys.argv[2])) if sys.argv[1:2] == ["--child"] else main())
