"""Writes folders of finished runs whose figures were made up."""

from __future__ import annotations

import json
from pathlib import Path


def write_run(
    folder: Path,
    object_name: str,
    seed: int,
    private: float | None,
    mixed: float | None,
    recipe: str = "m/quick",
    vand4_admissible: str = "yes",
    data_fingerprint: str = "0000",
    cost: tuple[float, float] = (20.0, 1000.0),
    processor: str = "a",
    settings_hash: str | None = None,
    public: float | None = None,
    without: tuple[str, ...] = (),
    **values: object,
) -> Path:
    """Write one run with SegF1 of both private splits, and of public where it is given.

    Args:
        folder: Where the folders of recipes lie.
        object_name: The object.
        seed: The seed.
        private: SegF1 on test_private; None where it is withheld.
        mixed: SegF1 on test_private_mixed.
        recipe: The recipe.
        vand4_admissible: What VAND 4.0 says.
        data_fingerprint: Of the images.
        cost: Milliseconds of an image, and MB.
        processor: Name of the machine.
        settings_hash: Of the settings.
        public: SegF1 on test_public.
        without: Splits that were not run.
        values: What else every split says.
    """
    folder = folder / recipe.replace("/", "-") / object_name / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    splits = {
        "test_private": {"segf1": private, "n_images": 4, **values},
        "test_private_mixed": {"segf1": mixed, "n_images": 4, **values},
    }
    if public is not None:
        splits["test_public"] = {"segf1": public, "n_images": 4, **values}
    splits = {split: entry for split, entry in splits.items() if split not in without}
    facts = {"recipe": recipe, "method": "m", "object": object_name, "seed": seed}
    facts |= {"vand4_admissible": vand4_admissible, "data_fingerprint": data_fingerprint}
    facts |= {} if settings_hash is None else {"settings_hash": settings_hash}
    (folder / "metrics.json").write_text(json.dumps({**facts, "command": "c", "splits": splits}))
    costs = {
        "phases": {"fit": {"wall_s": 2.0}},
        "total_s": 3.0,
        "latency": {"p50_ms": cost[0]},
        "memory": {"peak_rss_mb": cost[1]},
        "device": "cpu",
        "processor": processor,
        "threads": 2,
        "versions": {"torch": "2"},
    }
    (folder / "cost.json").write_text(json.dumps(costs))
    return folder
