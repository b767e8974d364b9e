"""What does a whole submission to MVTec AD 2 cost: 4,090 images up to 5 megapixels?

    python benchmarks/submission_cost.py --work DIR --out results/submission_cost.csv

One generated object at 2448 x 2048 is fitted with a recipe, submitted, packed and checked. Each
step is measured on its few private images and scaled to the real set: by pixels, the network's
share by images. Times are processor time of one process, which other work on the machine changes
little. `above_start_mb` is the memory of a step above what the process held before.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.utils.process import quiet, return_memory, share_cores
from zoo.utils.timing import PeakMemory, Stopwatch, processor_name, versions

SCORING = "score and finish"


def main() -> None:
    """Fit if need be, measure every step, and print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="kept in between")
    parser.add_argument("--recipe", default="patchcore/embedded")
    parser.add_argument("--out", type=Path, metavar="CSV")
    args = parser.parse_args()
    share_cores()
    return_memory()
    quiet()
    rows = measure(args.work, args.recipe)
    text = "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)])
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


def measure(work: Path, recipe: str) -> list[dict[str, Any]]:
    """Return one row per step."""
    from zoo.benchmark.bench import bench
    from zoo.data.tiny import write_tiny
    from zoo.data.tiny.plan import Size
    from zoo.data.tiny.scene import Frame
    from zoo.vand.submission.check import check
    from zoo.vand.submission.runs import expected_of, find_runs
    from zoo.vand.submission.write import pack

    frame = Frame(2448, 2048, magnification=3.0, oversampling=1)  # in finer detail
    size = Size("real", {"beans": frame}, ("beans",), 6, 2, public=(1, 1), private=(1, 2))
    data = write_tiny(work / "data", size=size, progress=print)
    if bench([recipe], data, splits=["test_private"], out=work / "runs").failed:
        raise SystemExit("the run failed")
    [run] = find_runs([work / "runs"])
    expected = expected_of([run])
    folder, archive = work / "entry", work / "entry.tar.gz"
    shutil.rmtree(folder, ignore_errors=True)
    archive.unlink(missing_ok=True)
    steps = _written(run, data, expected, folder)
    steps |= _measured("pack", lambda: pack(folder, archive, "entry"))
    steps |= _measured("check the folder", lambda: check(folder, expected))
    steps |= _measured("check the archive", lambda: check(archive, expected))
    raw = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    sizes = {"folder_gb": raw / 1e9, "archive_gb": archive.stat().st_size / 1e9}
    return [_row(name, *cost, expected, sizes, recipe) for name, cost in steps.items()]


def _written(run: Any, data: Path, expected: Any, folder: Path) -> dict[str, tuple[float, float]]:
    """Score, finish and write all images in a stream; return the cost of both halves."""
    from zoo.vand.submission.sources import Source
    from zoo.vand.submission.write import write_pair

    source = Source(run, data)
    affine = source.affine()
    source.predictor  # noqa: B018 - loading is not part of a step
    watch = Stopwatch()
    results = source.finished(expected.images)
    with PeakMemory() as memory:
        for image in expected.images:
            with watch.phase(SCORING):
                result = next(results)
            with watch.phase("write"):
                write_pair(folder, image, affine.encode(result.score_map)[0], result.mask)
    return {name: (each["cpu_s"], _above(memory)) for name, each in watch.phases.items()}


def _measured(name: str, work: Callable[[], Any]) -> dict[str, tuple[float, float]]:
    watch = Stopwatch()
    with PeakMemory() as memory, watch.phase(name):
        work()
    return {name: (watch.phases[name]["cpu_s"], _above(memory))}


def _above(memory: PeakMemory) -> float:
    return memory.peak_mb - memory.start_mb


def _row(
    name: str, cpu_s: float, above_mb: float, expected: Any, sizes: dict[str, float], recipe: str
) -> dict[str, Any]:
    """Return a row: what was measured, and what the real set will take."""
    import torch

    from zoo.vand.submission.expected import official

    real = official()
    by_pixels = real.n_pixels / expected.n_pixels
    by_images = len(real.images) / len(expected.images)
    scaling = ("images", by_images) if name == SCORING else ("pixels", by_pixels)
    return {
        "step": name,
        "images": len(expected.images),
        "megapixels": round(expected.n_pixels / 1e6, 1),
        "cpu_s": round(cpu_s, 3),
        "scaled_by": scaling[0],
        "real_cpu_h": round(cpu_s * scaling[1] / 3600, 2),
        "above_start_mb": round(above_mb),
        **{f"real_{key}": round(value * by_pixels, 1) for key, value in sizes.items()},
        "recipe": recipe,
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        **{package: versions()[package] for package in ("anomalib-zoo", "torch")},
    }


if __name__ == "__main__":
    main()
