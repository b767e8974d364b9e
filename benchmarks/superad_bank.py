"""Memory and time of filling SuperAD's banks from as many tokens as a whole object has.

    python benchmarks/superad_bank.py --out results/superad_bank.csv

By default 375 images of 7,600 tokens in four layers of 1,280 numbers, as SuperADD collects them of
images of 2448 x 2048 pixels: 58 GB in float32. Tokens are generated; the bank is the method's own.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch
from zoo_plugins.superad.torch_model import BankSettings, TokenBank

from zoo.utils.progress import counted
from zoo.utils.timing import PeakMemory, Stopwatch, processor_name, versions

GRID = (80, 95)


def main() -> None:
    """Fill banks, and append one row to a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=375)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=1280, help="numbers per token")
    parser.add_argument("--bank_size", type=int, default=100_000)
    parser.add_argument("--bank_budget_mb", type=float, default=2000)
    parser.add_argument("--out", type=Path, help="CSV to append to")
    args = parser.parse_args()

    torch.manual_seed(0)
    settings = BankSettings(args.bank_size, args.bank_budget_mb, "euclidean", half=True)
    banks = [TokenBank(settings, args.layers) for _ in range(args.layers)]
    pool = torch.randn(GRID[0] * GRID[1] + 1000, args.width)
    watch = Stopwatch()
    with PeakMemory() as memory:
        with watch.phase("collect"):
            for _ in counted(range(args.images), args.images, "images"):
                tokens = _tokens(pool)  # of all layers: what they are does not change the work
                for bank in banks:
                    bank.collect(tokens)
        with watch.phase("thin"):
            for bank in banks:
                bank.fit()
    n_tokens = args.images * args.layers * GRID[0] * GRID[1]
    row = {
        "images": args.images,
        "tokens_per_image": GRID[0] * GRID[1],
        "layers": args.layers,
        "width": args.width,
        "bank_size": len(banks[0].entries),
        "bank_budget_mb": args.bank_budget_mb,
        "all_tokens_mb": round(n_tokens * args.width * 4 / 1e6),
        "peak_rss_mb": round(memory.peak_mb),
        "collect_cpu_s": round(watch.phases["collect"]["cpu_s"], 1),
        "thin_cpu_s": round(watch.phases["thin"]["cpu_s"], 1),
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        **{name: versions()[name] for name in ("anomalib-zoo", "torch")},
        "command": "python benchmarks/superad_bank.py",
    }
    print(f"peak {row['peak_rss_mb']} MB, all tokens would take {row['all_tokens_mb']} MB")
    if args.out:
        append(args.out, row)


def append(path: Path, row: dict) -> None:
    """Append a row to a CSV, with a header if the file is new."""
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _tokens(pool: torch.Tensor) -> torch.Tensor:
    """Return the tokens of one image, (1, d, h, w): other ones each time, quickly made."""
    start = int(torch.randint(1000, ()))
    scale, shift = torch.randn(2, pool.shape[1])
    tokens = pool[start : start + GRID[0] * GRID[1]] * scale + shift
    return tokens.reshape(1, *GRID, -1).permute(0, 3, 1, 2)


if __name__ == "__main__":
    main()
