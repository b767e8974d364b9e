"""One run as the report shows it: its metrics, its rule, limits among its scores, its cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from zoo.metrics import PixelScores, load_splits
from zoo.postprocess.calibration import Calibration
from zoo.results.aggregate import short_split
from zoo.results.report.cases import Case, chosen, kept_cases
from zoo.results.report.charts import Limit, score_chart, score_range, share_above
from zoo.results.style import ACCENT
from zoo.runs.calibrations import older_calibrations
from zoo.runs.check import read_calibration
from zoo.runs.checksums import verify
from zoo.runs.documents import Metrics, check_metrics, read_cost
from zoo.runs.folder import CALIBRATION, RULE_HISTOGRAMS
from zoo.utils.errors import ZooError
from zoo.utils.markdown import Table, percent, whole

_VALIDATION = "validation"
_COLUMNS = {
    "SegF1": "segf1",
    "oracle": "oracle_segf1",
    "precision": "precision",
    "recall": "recall",
    "pixel AUROC": "pixel_auroc",
    "AU-PRO_0.05": "au_pro_005",
    "AU-PRO_0.30": "au_pro_030",
    "image AUROC": "image_auroc",
    "false alarms": "false_alarm_rate",
}
_UNITS = {
    "none": "score",
    "median": "score above the image's median",
    "robust": "spreads above the image's median",
}


@dataclass(frozen=True)
class Curve:
    """Limits among the scores of one split: the chart, and its numbers in words."""

    split: str
    chart: str
    caption: str


@dataclass(frozen=True)
class RunShown:
    """One run.

    Attributes:
        name: Recipe, object and seed.
        headline: Split and SegF1 of every split.
        figures: One row per split.
        cost: Its cost in words.
        rule: The rule and its limits in words.
        curves: One per split.
        cases: Its cases, split by split.
        missing: What is not shown, and why.
    """

    name: str
    headline: list[tuple[str, str]]
    figures: Table
    cost: str
    rule: str
    curves: list[Curve]
    cases: list[tuple[str, list[Case]]]
    missing: list[str]


def read_run(folder: Path, max_cases: int) -> RunShown:
    """Read a finished run; parts that are not there are named, and never an error.

    Args:
        folder: The run.
        max_cases: How many cases are shown at most.

    Raises:
        ZooError: Its metrics or its cost are damaged.
    """
    metrics = check_metrics(folder)
    missing: list[str] = []
    calibration = _calibration(folder, missing)
    curves = list(_curves(folder, calibration, missing)) if calibration else []
    cases = kept_cases(folder, missing)
    if not cases:
        missing.append("no images in cases/")
    by_split = groupby(chosen(cases, max_cases), lambda case: case.split)
    return RunShown(
        f"{metrics['recipe']} · {metrics['object']} · seed {metrics['seed']}",
        [(short_split(s), percent(v.get("segf1"))) for s, v in metrics["splits"].items()],
        _figures(metrics),
        _cost(folder),
        calibration.describe() if calibration else "",
        curves,
        [(split, list(group)) for split, group in by_split],
        missing,
    )


def _calibration(folder: Path, missing: list[str]) -> Calibration | None:
    """Return the calibration that metrics and cases were made with."""
    earlier = older_calibrations(folder)
    if earlier:
        missing.append("calibrated again since: all shown here is of the first calibration")
    try:
        first = next(iter(earlier), folder / CALIBRATION)
        return read_calibration(folder, first.relative_to(folder))
    except ZooError:
        missing.append("no readable calibration.json, so no limits")
        return None


def _figures(metrics: Metrics) -> Table:
    lines: list[list[str]] = []
    reasons: list[str] = []
    for split, values in metrics["splits"].items():
        cells = [percent(values.get(name)) for name in _COLUMNS.values()]  # type: ignore[arg-type]
        lines.append([short_split(split), whole(values.get("n_images")), *cells])
        reasons += (values.get("reasons") or {}).values()
    after = f"-: {'; '.join(dict.fromkeys(reasons))}." if reasons else ""
    head = ["split", "images", *_COLUMNS]
    return Table("Figures of this run", head, lines, after=after)


def _cost(folder: Path) -> str:
    cost = read_cost(folder)
    try:
        latency = cost["latency"]
        return (
            f"{cost['phases']['fit']['wall_s']:.1f} s to fit, {cost['total_s']:.0f} s in all; one "
            f"image {latency['p50_ms']:.0f} ms (p95 {latency['p95_ms']:.0f} ms); peak memory "
            f"{cost['memory']['peak_rss_mb']:.0f} MB; {cost['device']}, {cost['processor']}, "
            f"threads: {cost['threads']}"
        )
    except KeyError:  # not all of it was measured
        return ""


def _curves(folder: Path, calibration: Calibration, missing: list[str]) -> Iterator[Curve]:
    """Yield a curve per split whose ground truth is known."""
    try:
        verify(folder, RULE_HISTOGRAMS)
        splits = load_splits(folder / RULE_HISTOGRAMS)
    except ZooError:
        missing.append(f"no readable {RULE_HISTOGRAMS}, so no curves")
        return
    normal = splits.pop(_VALIDATION, PixelScores()).normal
    known = {split: pixels for split, pixels in splits.items() if pixels.normal.total}
    if not known:
        return
    fixed = [Limit("limit", calibration.threshold)]
    if calibration.seed_threshold is not None:
        fixed.append(Limit("peak", calibration.seed_threshold, line="--"))
    oracles = {
        split: [Limit("oracle", pixels.oracle_threshold, ACCENT, ":")]
        for split, pixels in known.items()
        if pixels.oracle_threshold is not None
    }
    histograms = [part for pixels in known.values() for part in (pixels.normal, pixels.defect)]
    shown = [*fixed, *(limit for limits in oracles.values() for limit in limits)]
    span = score_range([*histograms, normal], [limit.score for limit in shown])
    unit = _UNITS[calibration.normalisation]
    for split, pixels in known.items():
        title = f"{short_split(split)}: share of pixels by score, and where the limits lie"
        limits = [*fixed, *oracles.get(split, [])]
        chart = score_chart(title, pixels, normal, limits, span, unit)
        yield Curve(split, chart, _caption(pixels, calibration.threshold))


def _caption(pixels: PixelScores, threshold: float) -> str:
    """Return how much of either kind lies above the limit, and what the oracle would reach."""
    normal, defect = (share_above(part, threshold) for part in (pixels.normal, pixels.defect))
    parts = [f"{100 * (normal or 0):.3g} % of normal pixels"]
    if defect is not None:
        parts.append(f"{100 * defect:.3g} % of defective ones")
    text = f"Above the limit: {', '.join(parts)}."
    if pixels.oracle_segf1 is not None:
        text += f" At the oracle's: SegF1 {percent(pixels.oracle_segf1)} before blobs are filtered."
    return text
