"""One run as the report shows it: its figures, its rule, where the limits lie, its cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from zoo.metrics import PixelScores, load_splits
from zoo.postprocess.calibration import Calibration
from zoo.results.report.curves import Limit, score_chart, score_range, share_above
from zoo.results.report.pictures import Case, chosen, kept_cases
from zoo.runs.calibrations import older_calibrations
from zoo.runs.check import read_calibration
from zoo.runs.checksums import verify
from zoo.runs.documents import Metrics, check_metrics, read_cost
from zoo.runs.folder import CALIBRATION, HISTOGRAMS, RULE_HISTOGRAMS
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


@dataclass(frozen=True)
class Curve:
    """Where the limits lie in one split: the chart and what it says in figures."""

    split: str
    chart: str
    caption: str


@dataclass(frozen=True)
class RunShown:
    """One run.

    Attributes:
        name: Recipe, object and seed.
        metrics: Its `metrics.json`.
        figures: One row per split.
        cost: Its cost in words.
        rule: The rule and its limits in words.
        curves: One per split.
        cases: What is shown of its cases.
        missing: What is not shown, and why.
    """

    name: str
    metrics: Metrics
    figures: Table
    cost: str
    rule: str
    curves: list[Curve]
    cases: list[Case]
    missing: list[str]

    @property
    def cases_by_split(self) -> list[tuple[str, list[Case]]]:
        """The cases that are shown, split by split."""
        return [(split, list(group)) for split, group in groupby(self.cases, lambda c: c.split)]

    @property
    def headline(self) -> list[tuple[str, str]]:
        """Split and SegF1 of every split."""
        splits = self.metrics["splits"].items()
        return [(short_split(name), percent(values.get("segf1"))) for name, values in splits]


def read_run(folder: Path, most_cases: int) -> RunShown:
    """Read a finished run; parts that are not there are named, and never an error.

    Args:
        folder: The run.
        most_cases: How many cases are shown at most.

    Raises:
        ZooError: Its metrics or its cost are damaged.
    """
    metrics = check_metrics(folder)
    missing: list[str] = []
    calibration = _calibration(folder, missing)
    curves = list(_curves(folder, calibration, missing)) if calibration else []
    cases = kept_cases(folder, missing)
    if not cases:
        missing.append("no pictures in cases/")
    return RunShown(
        f"{metrics['recipe']} · {metrics['object']} · seed {metrics['seed']}",
        metrics,
        _figures(metrics),
        _cost(folder),
        calibration.describe() if calibration else "",
        curves,
        chosen(cases, most_cases),
        missing,
    )


def short_split(name: str) -> str:
    """Return the name of a split as tables have it."""
    return name.removeprefix("test_")


def _calibration(folder: Path, missing: list[str]) -> Calibration | None:
    """Return the calibration that figures and pictures were made with."""
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
    lines = []
    for split, values in metrics["splits"].items():
        cells = [percent(values.get(name)) for name in _COLUMNS.values()]
        lines.append([short_split(split), whole(values.get("n_images")), *cells])
    reasons = {
        reason: None
        for values in metrics["splits"].values()
        for reason in (values.get("reasons") or {}).values()
    }
    after = f"-: {'; '.join(reasons)}." if reasons else ""
    head = ["split", "images", *_COLUMNS]
    return Table("Figures of this run", head, lines, after=after)


def _cost(folder: Path) -> str:
    cost = read_cost(folder)
    try:
        latency, memory = cost["latency"], cost["memory"]["peak_rss_mb"]
        fit = cost["phases"]["fit"]["wall_s"]
        said = f"{fit:.1f} s to fit, {cost['total_s']:.0f} s in all; one image "
        said += f"{latency['p50_ms']:.0f} ms (p95 {latency['p95_ms']:.0f} ms); peak memory "
        said += (
            f"{memory:.0f} MB; {cost['device']}, {cost['processor']}, threads: {cost['threads']}"
        )
        return said
    except KeyError:  # not all of it was measured
        return ""


def _curves(folder: Path, calibration: Calibration, missing: list[str]) -> Iterator[Curve]:
    """Yield a curve per split whose truth is known."""
    splits = _scores(folder, calibration, missing)
    normal = splits.pop(_VALIDATION, None)
    known = {split: pixels for split, pixels in splits.items() if pixels.normal.total}
    fixed = list(_limits(calibration))
    oracles = {split: pixels.oracle_threshold for split, pixels in known.items()}
    if not known:
        return
    histograms = [part for each in known.values() for part in (each.normal, each.defect)]
    lines = [limit.score for limit in fixed] + [
        each for each in oracles.values() if each is not None
    ]
    span = score_range(histograms + ([normal.normal] if normal else []), lines)
    for split, pixels in known.items():
        limits = list(fixed)
        if oracles[split] is not None:
            limits.append(Limit("oracle", "oracle", oracles[split]))
        title = f"{short_split(split)}: share of pixels by score, and where the limits lie"
        drawn = score_chart(title, pixels, normal, limits, span, _unit(calibration))
        yield Curve(split, drawn, _caption(pixels, calibration.threshold))


def _scores(folder: Path, calibration: Calibration, missing: list[str]) -> dict[str, PixelScores]:
    """Return histograms whose scores have the unit of the thresholds."""
    try:
        verify(folder, RULE_HISTOGRAMS)
        return load_splits(folder / RULE_HISTOGRAMS)
    except ZooError:
        pass
    if calibration.normalisation != "none":
        missing.append(
            f"no {RULE_HISTOGRAMS}: its rule takes each image's background off its scores, and "
            "raw histograms have no common axis with its limits; run it again for the curves"
        )
        return {}
    try:
        verify(folder, HISTOGRAMS)
        return load_splits(folder / HISTOGRAMS)
    except ZooError:
        missing.append(f"no readable {HISTOGRAMS}, so no curves")
        return {}


def _limits(calibration: Calibration) -> Iterator[Limit]:
    yield Limit("limit", "threshold", calibration.threshold)
    if calibration.seed_threshold is not None:
        yield Limit("peak", "peak", calibration.seed_threshold)


def _unit(calibration: Calibration) -> str:
    return {
        "none": "score",
        "median": "score above the image's median",
        "robust": "spreads above the image's median",
    }[calibration.normalisation]


def _caption(pixels: PixelScores, threshold: float) -> str:
    """Say how much of either kind lies above the limit, and what the oracle would reach."""
    normal, defect = (share_above(part, threshold) for part in (pixels.normal, pixels.defect))
    parts = [f"{_share(normal)} of normal pixels"]
    if defect is not None:
        parts.append(f"{_share(defect)} of defective ones")
    said = f"Above the limit: {', '.join(parts)}."
    if pixels.oracle_segf1 is not None:
        said += f" At the oracle's: SegF1 {percent(pixels.oracle_segf1)} before blobs are judged."
    return said


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g} %"
