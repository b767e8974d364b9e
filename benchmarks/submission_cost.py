"""What does a whole submission to MVTec AD 2 cost: 4,090 images up to 5 megapixels?

    python benchmarks/submission_cost.py --work DIR --out results/submission_cost.csv

One generated object at 2448 x 2048 is fitted with a recipe, submitted, packed and checked. Each step
is measured on its few private images and scaled to the real set: by pixels, the network's share by
images. Times are processor time of one process, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.cli.process import quiet, return_memory, share_cores

# Peak memory is that of the step alone, above what the process held before.
COLUMNS = ("step", "images", "megapixels", "cpu_s", "scaled_by", "real_cpu_h", "above_start_mb")


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
    from zoo.cli.bench import bench
    from zoo.data.tiny import write_tiny
    from zoo.submission.check import check
    from zoo.submission.pack import pack
    from zoo.submission.runs import expected_of, find_runs
    from zoo.submission.sources import source_of
    from zoo.submission.tree import official

    data = write_tiny(work / "data", size="real", progress=print)
    if bench([recipe], data, None, [0], ["test_private"], work / "runs", keep="model"):
        raise SystemExit("the run failed")
    runs = find_runs([work / "runs"])
    expected = expected_of(runs)
    real = official()
    [run] = runs
    source = source_of(run, data)
    source.detector  # noqa: B018 - loading is not part of a step
    folder, archive = work / "entry", work / "entry.tar.gz"
    shutil.rmtree(folder, ignore_errors=True)
    archive.unlink(missing_ok=True)

    kept: list = []
    steps: list[tuple[str, str, Callable[[], Any]]] = [
        ("score and finish", "images", lambda: kept.extend(source.judged(expected.images))),
        ("write", "pixels", lambda: _write(folder, expected.images, kept, source.affine())),
        ("pack", "pixels", lambda: pack(folder, archive, "entry")),
        ("check the folder", "pixels", lambda: check(folder, expected)),
        ("check the archive", "pixels", lambda: check(archive, expected)),
    ]
    rows = [_row(*step, expected, real) for step in steps]
    raw = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    factor = real.n_pixels / expected.n_pixels / 1e9
    sizes = {"folder_gb": raw * factor, "archive_gb": archive.stat().st_size * factor}
    return [_facts(row, sizes, recipe) for row in rows]


def _write(folder: Path, images: Any, kept: list, affine: Any) -> None:
    from zoo.submission.pair import write_pair

    for image, finished in zip(images, kept, strict=True):
        write_pair(folder, image, affine.encode(finished.score_map)[0], finished.mask)


def _row(
    name: str, scaled_by: str, work: Callable[[], Any], expected: Any, real: Any
) -> dict[str, Any]:
    from zoo.timing import PeakMemory, Stopwatch

    watch = Stopwatch()
    with PeakMemory() as memory, watch.phase(name):
        work()
    seconds = watch.phases[name]["cpu_s"]
    by_pixels = real.n_pixels / expected.n_pixels
    by_images = len(real.images) / len(expected.images)
    factor = by_images if scaled_by == "images" else by_pixels
    values = (
        name,
        len(expected.images),
        round(expected.n_pixels / 1e6, 1),
        round(seconds, 3),
        scaled_by,
        round(seconds * factor / 3600, 2),
        round(memory.peak_mb - memory.start_mb),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _facts(row: dict[str, Any], sizes: dict[str, float], recipe: str) -> dict[str, Any]:
    import torch

    from zoo.timing import processor_name, versions

    facts = {name: round(value, 1) for name, value in sizes.items()}
    facts |= {"recipe": recipe, "threads": torch.get_num_threads(), "processor": processor_name()}
    return {**row, **facts, **{name: versions()[name] for name in ("anomalib-zoo", "torch")}}


if __name__ == "__main__":
    main()
