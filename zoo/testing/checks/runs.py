"""Runs of a method: a saved one gives back the very maps and masks, and stock anomalib runs it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr
from typing import Any

import numpy as np
from anomalib.cli import AnomalibCLI
from anomalib.engine import Engine

from zoo.predict.torch_predictor import TorchPredictor
from zoo.runs.folder import MODEL
from zoo.runs.rebuild import load_run
from zoo.testing.method_under_test import SEED, MethodUnderTest
from zoo.utils.seeding import apply_seed

_REPAIR = "keep what was learned in parameters and buffers, all of it"


def writes_a_run(under_test: MethodUnderTest) -> Iterable[str]:
    """Find a method that `zoo train` cannot carry through."""
    _ = under_test.run  # trains when it is asked for
    return ()


def comes_back_as_a_run(under_test: MethodUnderTest) -> Iterator[str]:
    """Find a run that `zoo.load` does not rebuild exactly."""
    folder, model = under_test.run
    # Trusted: this very process wrote it.
    loaded = load_run(folder, device="cpu", trust=True)
    yield from _differences(under_test, _predictor(model), loaded, "zoo.load")


def comes_back_as_a_checkpoint(under_test: MethodUnderTest) -> Iterator[str]:
    """Find a checkpoint that anomalib does not load safely and exactly."""
    folder, model = under_test.run
    name = f"{type(model).__name__}.load_from_checkpoint"
    loaded: Any = type(model).load_from_checkpoint(
        folder / MODEL, map_location="cpu", weights_only=True
    )
    if loaded.post_processor.calibration is None:
        yield f"after {name} there is no calibration; leave the post-processor to ZooMethod"
        return
    yield from _differences(under_test, _predictor(model), _predictor(loaded), name)


def _predictor(model: Any) -> TorchPredictor:
    return TorchPredictor(model, model.post_processor.calibration)


def _differences(
    under_test: MethodUnderTest, kept: TorchPredictor, loaded: TorchPredictor, how: str
) -> Iterator[str]:
    """Compare all that two predictors give for the test images, to the last bit."""
    paths = [sample.image_path for sample in under_test.samples]
    pairs = list(zip(kept.predict(paths), loaded.predict(paths), strict=True))
    for what in ("anomaly_map", "mask", "score"):
        values = [(getattr(before, what), getattr(after, what)) for before, after in pairs]
        different = sum(not np.array_equal(before, after) for before, after in values)
        if different:
            yield (
                f"after {how} the {what} of {different} of {len(pairs)} images differs; {_REPAIR}"
            )


def runs_in_the_engine(under_test: MethodUnderTest) -> Iterator[str]:
    """Find what `Engine.fit`, `test` and `predict` stumble over, with anomalib's `Folder`."""
    model, data = under_test.build(), under_test.stock_data
    engine = Engine(
        default_root_dir=under_test.folder / "engine",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **under_test.trainer,
    )
    engine.fit(model, datamodule=data)
    [metrics] = engine.test(model, datamodule=data, verbose=False) or [{}]
    if not metrics:
        yield "Engine.test gives no metric; leave the evaluator to ZooMethod"
    for name, value in metrics.items():
        if not np.isfinite(value):
            yield f"Engine.test gives {name} = {value}; return one score and one map per image"
    for batch in engine.predict(model, datamodule=data) or []:
        yield from _missing(batch)


def _missing(batch: Any) -> Iterator[str]:
    for name in ("anomaly_map", "pred_mask", "pred_label", "pred_score"):
        if getattr(batch, name, None) is None:
            yield f"Engine.predict gives no {name}; leave predict_step to AnomalibModule"


def runs_from_the_command_line(under_test: MethodUnderTest) -> Iterator[str]:
    """Find what `anomalib train --model <module>.<Class>` stumbles over."""
    apply_seed(SEED)
    stderr = io.StringIO()
    try:
        with redirect_stderr(stderr):
            AnomalibCLI(under_test.stock_words(under_test.folder / "stock"))
    except SystemExit:  # its parser prints and exits
        lines = stderr.getvalue().strip().splitlines() or ["no reason given"]
        yield (
            f"anomalib train --model {under_test.class_path} is refused ({lines[-1]}); give the "
            "constructor's arguments types that a command line can read"
        )
