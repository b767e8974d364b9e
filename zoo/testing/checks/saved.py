"""What a saved run gives back: the very maps and masks of the model that was in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from zoo.predict.torch_predictor import TorchPredictor
from zoo.runs.folder import MODEL
from zoo.runs.rebuild import load_run
from zoo.testing.method_under_test import MethodUnderTest

_MEND = "keep what was learned in parameters and buffers, all of it"


def writes_a_run(subject: MethodUnderTest) -> Iterable[str]:
    """Find a method that `zoo train` cannot carry through."""
    _ = subject.run  # trains when it is asked for
    return ()


def comes_back_as_a_run(subject: MethodUnderTest) -> Iterator[str]:
    """Find a run that `zoo.load` does not rebuild exactly."""
    folder, model = subject.run
    # Trusted: this very process wrote it.
    loaded = load_run(folder, device="cpu", trust=True)
    yield from _differences(subject, _predictor(model), loaded, "zoo.load")


def comes_back_as_a_checkpoint(subject: MethodUnderTest) -> Iterator[str]:
    """Find a checkpoint that anomalib does not load safely and exactly."""
    folder, model = subject.run
    name = f"{type(model).__name__}.load_from_checkpoint"
    loaded: Any = type(model).load_from_checkpoint(
        folder / MODEL, map_location="cpu", weights_only=True
    )
    if loaded.post_processor.calibration is None:
        yield f"after {name} there is no calibration; leave the post-processor to ZooMethod"
        return
    yield from _differences(subject, _predictor(model), _predictor(loaded), name)


def _predictor(model: Any) -> TorchPredictor:
    return TorchPredictor(model, model.post_processor.calibration)


def _differences(
    subject: MethodUnderTest, kept: TorchPredictor, loaded: TorchPredictor, how: str
) -> Iterator[str]:
    """Compare all that two predictors give for the test images, to the last bit."""
    paths = [sample.image_path for sample in subject.samples]
    pairs = list(zip(kept.predict(paths), loaded.predict(paths), strict=True))
    for what in ("anomaly_map", "mask", "score"):
        values = [(getattr(before, what), getattr(after, what)) for before, after in pairs]
        different = sum(not np.array_equal(before, after) for before, after in values)
        if different:
            yield (
                f"after {how} the {what} of {different} of {len(pairs)} images is another; {_MEND}"
            )
