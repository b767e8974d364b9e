"""The draft of a challenge report, made from card, recipe and runs; people fill in the brackets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2

from zoo.runs.documents import is_scored, read_cost
from zoo.utils.markdown import grid, percent
from zoo.utils.text import markdown_cell, markdown_prose
from zoo.vand.submission.kit.manifest import card_of
from zoo.vand.submission.runs import ObjectRun

_TEMPLATE = Path(__file__).with_name("report.md.jinja")
_COST = ["object", "device", "p50 ms", "p95 ms", "passes", "peak memory MB", "parameters"]
_WEIGHTS = ["pretrained weights", "source", "licence", "gated", "SHA-256"]


def report(runs: Sequence[ObjectRun], facts: dict[str, Any], recipe: str) -> str:
    """Return the draft as markdown.

    Args:
        runs: One run per object.
        facts: The kit's manifest.
        recipe: The recipe's text.
    """
    calibration = runs[0].calibration
    parameters = ", ".join(f"{key}={value}" for key, value in calibration.parameters.items())
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        card=card_of(runs[0]),
        facts=facts,
        recipe=recipe,
        rule=markdown_cell(f"{calibration.rule}({parameters})"),
        thresholds=_table(["object", "from", "threshold", "smallest blob"], _thresholds(runs), 2),
        public=_public(runs),
        cost=_table([*_COST, "threads"], _costs(runs), 2),
        weights=_table(_WEIGHTS, map(_weight, facts["pretrained_weights"]), len(_WEIGHTS)),
        admissible=markdown_prose("; ".join(sorted(set(facts["vand4_admissible"].values())))),
    )


def _thresholds(runs: Sequence[ObjectRun]) -> Iterator[list[str]]:
    for run in runs:
        found = run.calibration
        source = f"{found.n_images} normal images of {found.split}"
        yield [run.object_name, source, f"{found.threshold:.6g}", f"{found.min_area_px} px"]


def _public(runs: Sequence[ObjectRun]) -> str:
    """Return the table of test_public, or nothing where it was not scored for all objects."""
    figures = {run.object_name: run.metrics["splits"].get("test_public") for run in runs}
    rows = [
        [name, percent(values.get("segf1")), percent(values.get("au_pro_005"))]
        for name, values in figures.items()
        if values and is_scored(values)
    ]
    return _table(["object", "SegF1", "AU-PRO 0.05"], rows) if len(rows) == len(figures) else ""


def _costs(runs: Sequence[ObjectRun]) -> Iterator[list[str]]:
    for run in runs:
        try:
            cost = read_cost(run.folder)
            latency, memory = cost["latency"], cost["memory"]
            peak = memory["peak_device_mb"] or memory["peak_rss_mb"]
            device = cost["processor"] if cost["device"] == "cpu" else cost["device"]
            times = [f"{latency['p50_ms']:.1f}", f"{latency['p95_ms']:.1f}", str(latency["passes"])]
            counts = [f"{peak:.0f}", str(cost["parameters"]), str(cost["threads"])]
        except KeyError:  # not all of it was measured
            continue
        yield [run.object_name, device, *times, *counts]


def _weight(weights: dict[str, Any]) -> list[str]:
    gated = {True: "yes", False: "no", None: "[?]"}[weights["gated"]]
    cells = [weights[key] or "[?]" for key in ("name", "source", "licence")]
    return [*cells, gated, weights["sha256"] or "[?]"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], n_texts: int = 1) -> str:
    return grid(head, [[markdown_cell(cell) for cell in row] for row in rows], n_texts)
