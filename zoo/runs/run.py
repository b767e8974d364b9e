"""One run: an experiment is fitted, calibrated, evaluated, and written as a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from anomalib.models import AnomalibModule

from zoo.data import layout
from zoo.data.datamodule import MVTecAD2Layout, NativeDataModule
from zoo.data.splits import TEST_SPLITS
from zoo.data.stock import adopt
from zoo.methods.post_processor import calibration_of
from zoo.metrics import add_splits
from zoo.postprocess.calibration import Calibration
from zoo.postprocess.rules import Rule
from zoo.predict.torch_predictor import TorchPredictor
from zoo.recipes.experiment import Experiment
from zoo.recipes.language import dump_header
from zoo.runs.calibrations import recalibrated
from zoo.runs.check import check_run, damage, read_calibration
from zoo.runs.documents import COST, METRICS, Cost, Metrics, read_cost, read_metrics
from zoo.runs.evaluate import Evaluation, evaluate, measure_cost
from zoo.runs.fit import fit_and_calibrate
from zoo.runs.folder import (
    CONFIG,
    FORMAT_VERSION,
    HISTOGRAMS,
    MAPS,
    MODEL,
    RULE_HISTOGRAMS,
    atomic_folder,
    no_empty_folders,
    own_folder,
    write_json,
)
from zoo.runs.identity import Identity, facts_of, identity
from zoo.runs.rebuild import load_run
from zoo.runs.resume import ResumePoint
from zoo.runs.training import Report, learns_long, silent
from zoo.utils.lock import locked
from zoo.utils.plain_yaml import dump_yaml
from zoo.utils.timing import PeakMemory, Stopwatch

_KEPT = {"model": (MODEL,), "maps": (MODEL, MAPS), "none": ()}


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    @property
    def metrics(self) -> Metrics:
        """What `metrics.json` holds: which run this is, and its figures split by split."""
        return check_run(self.folder, with_model=False)

    @property
    def cost(self) -> Cost:
        """What `cost.json` holds: seconds, latency_ms, memory, versions."""
        return read_cost(self.folder)

    @property
    def calibration(self) -> Calibration:
        """The thresholds that hold now."""
        return read_calibration(self.folder)

    def load(self, device: str | None = None, trust: bool = False) -> TorchPredictor:
        """Return the fitted model, ready to predict; see `zoo.load`."""
        return load_run(self.folder, device, trust)

    def calibrate(
        self,
        rule: Rule | str | None = None,
        normal: str | Path | None = None,
        device: str | None = None,
    ) -> Calibration:
        """Give the run new thresholds; the old ones are kept in its `calibrations/`.

        Args:
            rule: Such as `Quantile(q=0.9999)` or the same as text; by default the one before.
            normal: Folder of normal images that the run did not learn from; by default the images
                that it was calibrated on when it was fitted.
            device: Where the model runs.

        Returns:
            The calibration that holds now.

        Raises:
            ZooError: The images are gone, too few, or ones that may set no threshold.
        """
        from zoo.runs.calibrations import set_calibration

        _, after = recalibrated(self.folder, rule, normal, device)
        if after.calibration != self.calibration:
            set_calibration(self.folder, after.calibration)
        return after.calibration

    def evaluate(self) -> Metrics:
        """Make masks, cases and metrics anew by the present calibration, from maps that were kept.

        Raises:
            ZooError: The run kept no maps (`keep="maps"`), or its images are gone or changed.
        """
        from zoo.runs.evaluate import reevaluate

        return reevaluate(self.folder)

    def export(
        self,
        formats: Sequence[Literal["onnx", "openvino"]] = ("onnx",),
        precisions: Sequence[Literal["fp32", "fp16", "int8"]] = ("fp32",),
        out: str | Path | None = None,
        input_size: tuple[int, int] | None = None,
    ) -> list[Path]:
        """Write the model as graphs that carry their calibration and need no torch.

        Args:
            formats: Of the files.
            precisions: Of the weights; int8 computes in 8 bits, in ranges that normal images show.
            out: Folder to write to; `exported` in the run's own by default.
            input_size: (h, w) in pixels of models that keep the aspect of images.

        Returns:
            The files, for `zoo.load`.

        Raises:
            ZooError: A package is missing, or the model cannot be exported.
        """
        from zoo.runs.export import NormalImages, export_run, graph_paths

        place = Path(out) if out is not None else own_folder(self.folder, "exported")
        suffixes = [{"onnx": ".onnx", "openvino": ".xml"}[name] for name in formats]
        paths = graph_paths(place, suffixes, list(precisions))
        return export_run(self.folder, paths, NormalImages(self.folder), input_size)


@dataclass
class Fitted:
    """A model that is fitted and calibrated, and what came with it.

    Attributes:
        model: In evaluation mode, with its calibration.
        false_alarms: To expect among normal images, as plain data; None where one image cannot
            tell.
        stopwatch: Phases so far.
        start_rss_mb: Memory of the process that fitted, before, MB of 10**6 bytes; None for this
            process.
        peak_rss_mb: The most that it had.
        conclude: Called with the facts of the run and its folder once everything is evaluated.
    """

    model: AnomalibModule
    false_alarms: dict[str, Any] | None
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    start_rss_mb: float | None = None
    peak_rss_mb: float = 0.0
    conclude: Callable[[dict[str, Any], Path], None] = lambda facts, folder: None


Fit = Callable[[Experiment, NativeDataModule, Path, ResumePoint, Report], Fitted]


def fit_here(
    experiment: Experiment,
    datamodule: NativeDataModule,
    folder: Path,
    point: ResumePoint,
    report: Report = silent,
) -> Fitted:
    """Fit and calibrate in this process; others may take its place, see `run`."""
    model, trainer = experiment.build()
    stopwatch = Stopwatch()
    # What would end the run after the fit ends it before: images of the test splits, too.
    splits = experiment.splits or ()
    datamodule.follow_model(model)
    datamodule.check_headers(splits)
    if learns_long(model, trainer):
        datamodule.check_images(splits, report)
    false_alarms = fit_and_calibrate(
        model,
        datamodule,
        trainer,
        folder,
        stopwatch,
        report,
        ckpt_path=experiment.ckpt_path,
        keep=experiment.keep,
        resume=point,
    )
    return Fitted(model, false_alarms, stopwatch)


def run(
    experiment: Experiment,
    *,
    resume: bool = True,
    fit: Fit = fit_here,
    report: Report = silent,
    log: Report = silent,
) -> Run:
    """Fit on train, calibrate on validation, evaluate the test splits, and write the run's folder.

    The folder appears when everything in it is written; a run that stood there gives way to it.

    Args:
        experiment: What to run.
        resume: Go on from the state that an interrupted training left beside the folder.
        fit: A named function that fits and calibrates; whatever wraps it (such as a sealed process)
            takes its place. Its experiment has the splits that will be evaluated.
        report: Receives what is being done, again and again.
        log: Receives what a person should know, once.

    Returns:
        The run.

    Raises:
        ZooError: Data, method or maps are not usable, or another process writes the same run.
    """
    data = open_data(experiment)
    if data.bit_depth is not None:
        log(
            f"16-bit images are read as {data.bit_depth} bits, which the normal ones fill; "
            "--data.bit_depth N sets another depth"
        )
    for notice in data.notices:
        log(notice)
    which = identity(experiment, data.fingerprint())
    with no_empty_folders(experiment.folder), locked(experiment.folder):
        return make_run(experiment, data, which, resume=resume, fit=fit, report=report)


def make_run(
    experiment: Experiment,
    datamodule: NativeDataModule,
    which: Identity,
    *,
    resume: bool = True,
    fit: Fit = fit_here,
    report: Report = silent,
) -> Run:
    """Do what `run` does, for somebody who holds the lock of the run's folder.

    Args:
        experiment: What to run.
        datamodule: Its data.
        which: What the run is recognised by.
        resume: See `run`, like the others.
        fit: The same.
        report: The same.
    """
    splits = experiment.splits
    experiment = replace(
        experiment, splits=tuple(_default_splits(datamodule) if splits is None else splits)
    )
    point = resume_point(experiment, which, fit)
    if not resume:
        point.clear()
    with atomic_folder(experiment.folder) as folder:
        (folder / CONFIG).write_text(config_text(experiment), encoding="utf-8")
        with PeakMemory() as memory:
            fitted = fit(experiment, datamodule, folder, point, report)
            facts = facts_of(experiment, which, fitted.model)
            found = evaluate(
                fitted.model,
                datamodule,
                experiment.splits or (),
                folder,
                fitted.stopwatch,
                report,
                experiment.keep,
            )
        if fitted.start_rss_mb is not None:
            memory.start_mb = min(memory.start_mb, fitted.start_rss_mb)
            memory.peak_mb = max(memory.peak_mb, fitted.peak_rss_mb)
        cost = measure_cost(fitted.model, fitted.stopwatch, memory, found.latency)
        _write_results(folder, facts, fitted, found, cost)
        if experiment.keep == "none":
            (folder / MODEL).unlink(missing_ok=True)
        fitted.conclude(facts, folder)
    point.clear()
    return Run(experiment.folder)


def resume_point(experiment: Experiment, which: Identity, fit: Fit = fit_here) -> ResumePoint:
    """Return where a training of this very run keeps its state; a sealed fit has its own."""
    return ResumePoint.beside(experiment.folder, f"{which.config_hash} {fit.__name__}")


def open_data(experiment: Experiment) -> NativeDataModule:
    """Return the data of an experiment, its splits and sizes known, before a model is built.

    Raises:
        ZooError: There is no such object, or no data.
    """
    arguments = experiment.data.get("init_args", {})
    if is_layout(experiment):
        layout.check_object(arguments.get("root", ""), arguments.get("category", ""))
    return adopt(experiment.build_data(), experiment.seed)


def _default_splits(data: NativeDataModule) -> list[str]:
    """Return the test split that data in the layout asks for, or all there are."""
    if isinstance(data, MVTecAD2Layout):
        wanted = [data.test_split] if data.test_split else None
        return list(layout.check_splits(data.root, data.category, wanted))
    return data.test_splits()


def is_layout(experiment: Experiment) -> bool:
    """Whether the data is in the layout of MVTec AD 2."""
    return experiment.data["class_path"].rpartition(".")[2] == MVTecAD2Layout.__name__


def finished(
    experiment: Experiment, which: Identity, files: tuple[str, ...] = (), accept_old: bool = False
) -> Metrics | None:
    """Return the metrics of this very run if it was finished before and is sound.

    Args:
        experiment: The run.
        which: What it is recognised by.
        files: What must be in its folder besides what it keeps.
        accept_old: Whether a run counts that other code made.
    """
    metrics = read_metrics(experiment.folder)
    if metrics is None or not which.matches(metrics, accept_old) or damage(experiment.folder):
        return None
    names = (*_KEPT[experiment.keep], *files)
    if not all((experiment.folder / name).exists() for name in names):
        return None
    known = set(metrics["splits"])
    return metrics if set(experiment.splits or known) <= known else None


def with_known_splits(experiment: Experiment, which: Identity) -> Experiment:
    """Return an experiment with the splits as well that it was evaluated on before."""
    metrics = read_metrics(experiment.folder)
    if experiment.splits is None or metrics is None or not which.matches(metrics):
        return experiment
    order = TEST_SPLITS.index
    return replace(
        experiment, splits=tuple(sorted({*experiment.splits, *metrics["splits"]}, key=order))
    )


def config_text(experiment: Experiment) -> str:
    """Return `config.yaml`: `zoo train --config` makes the same run of it."""
    head = "".join(f"# {line}\n" for line in dump_header())
    return head + dump_yaml(experiment.config)


def _write_results(
    folder: Path, facts: dict[str, Any], fitted: Fitted, found: Evaluation, cost: dict[str, Any]
) -> None:
    """Write cost, histograms and, last, `metrics.json`."""
    write_json(folder / COST, cost)
    add_splits(folder / HISTOGRAMS, {k: v.pixels for k, v in found.splits.items()})
    add_splits(folder / RULE_HISTOGRAMS, found.rule_scores)
    metrics = {
        **facts,
        "format": FORMAT_VERSION,
        "bit_depth": calibration_of(fitted.model).bit_depth,
        "expected_false_alarms": fitted.false_alarms,
        "splits": {split: scores.result() for split, scores in found.splits.items()},
    }
    write_json(folder / METRICS, metrics)
