"""A method runs through stock anomalib as well, without our engine, data and command line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

import numpy as np
from anomalib.cli import AnomalibCLI
from anomalib.engine import Engine

from zoo.testing.method_under_test import SEED, MethodUnderTest
from zoo.utils.seeding import apply_seed


def runs_in_the_engine(subject: MethodUnderTest) -> Iterator[str]:
    """Find what `Engine.fit`, `test` and `predict` stumble over, with anomalib's `Folder`."""
    model, data = subject.build(), subject.stock_data
    engine = Engine(
        default_root_dir=subject.folder / "engine",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **subject.trainer,
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


def runs_from_the_command_line(subject: MethodUnderTest) -> Iterator[str]:
    """Find what `anomalib train --model <module>.<Class>` stumbles over."""
    apply_seed(SEED)
    stderr = io.StringIO()
    try:
        with redirect_stderr(stderr):
            AnomalibCLI(subject.stock_words(subject.folder / "stock"))
    except SystemExit:  # its parser prints and exits
        lines = stderr.getvalue().strip().splitlines() or ["no reason given"]
        yield (
            f"anomalib train --model {subject.class_path} is refused ({lines[-1]}); give the "
            "constructor's arguments types that a command line can read"
        )
