"""The GPU self-check: one method fitted on two devices, and how far their score maps are apart."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib.models import AnomalibModule

from zoo.testing.isolation import quiet
from zoo.testing.method_under_test import MethodUnderTest, score

# Of the range of the first device's scores. Convolutions may round to 10 bits on a GPU (TF32).
SCORING_TOLERANCE = 1e-2  # largest difference of a pixel
FITTING_TOLERANCE = 0.1  # mean difference of a pixel; two seeds of PatchCore make 0.03
N_TRAIN = 2


@dataclass(frozen=True)
class DeviceComparison:
    """How a method does on two devices.

    Attributes:
        devices: Their names, such as ("cpu", "cuda").
        scoring: Largest difference of scores with one and the same fitted model, as a share of
            their range.
        fitting: Mean difference of scores with a fit on each device, as a share of the range.
        peak_mb: Most memory allocated on the second device, in MB of 10**6 bytes; None on a CPU.
    """

    devices: tuple[str, str]
    scoring: float
    fitting: float
    peak_mb: float | None

    @property
    def ok(self) -> bool:
        """Whether both differences are tolerable."""
        return self.scoring <= SCORING_TOLERANCE and self.fitting <= FITTING_TOLERANCE

    def __str__(self) -> str:
        """Return both differences in one line."""
        memory = "" if self.peak_mb is None else f", peak {self.peak_mb:.0f} MB"
        hint = "" if self.ok else "; look for tensors and generators that stay on one device"
        return (
            f"{' and '.join(self.devices)}: scores differ by {self.scoring:.2g} of their range "
            f"(at most {SCORING_TOLERANCE:g}), fits by {self.fitting:.2g} (at most "
            f"{FITTING_TOLERANCE:g}){memory}{hint}"
        )


def compare_devices(
    method: str | type,
    devices: tuple[str, str] = ("cpu", "cuda"),
    arguments: dict[str, Any] | None = None,
) -> DeviceComparison:
    """Fit a method on two small images on each of two devices, and compare the score maps.

    Args:
        method: Entry name, class name, or the class itself.
        devices: As torch names them; the second one is compared with the first.
        arguments: Constructor arguments, plain values as in a recipe.

    Raises:
        ZooError: There is no method of that name, or its maps are not usable.
    """
    first, second = devices
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root, quiet():

        def fit(device: str, folder: Path) -> tuple[MethodUnderTest, AnomalibModule]:
            settings = trainer_arguments(device)
            under_test = MethodUnderTest(method, arguments, settings, None, folder, N_TRAIN)
            return under_test, under_test.fitted.to(device)

        under_test, fitted = fit(first, Path(root) / "first")
        here = _maps(under_test, fitted)
        there = _maps(under_test, fitted.to(second))
        del under_test, fitted
        _forget_peak(second)
        refitted = _maps(*fit(second, Path(root) / "second"))
        peak_mb = _peak_mb(second)
    extent = max(float(np.ptp(here)), np.finfo(np.float32).tiny)
    return DeviceComparison(
        devices=(first, second),
        scoring=float(abs(there - here).max()) / extent,
        fitting=float(abs(refitted - here).mean()) / extent,
        peak_mb=peak_mb,
    )


def _maps(under_test: MethodUnderTest, model: AnomalibModule) -> np.ndarray:
    """Return the maps of the test images, one image at a time, (images, h, w) float32."""
    return np.stack([score(model, [item])[0].score_map for item in under_test.items(model)])


def trainer_arguments(device: str) -> dict[str, Any]:
    """Return the trainer's words for a device of torch."""
    kind, index = torch.device(device).type, torch.device(device).index
    if kind == "cuda":
        return {"accelerator": "gpu", "devices": [index or 0]}
    return {"accelerator": kind, "devices": 1}


def _forget_peak(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak_mb(device: str) -> float | None:
    is_cuda = torch.device(device).type == "cuda"
    return torch.cuda.max_memory_allocated(device) / 1e6 if is_cuda else None
