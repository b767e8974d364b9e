"""The same scene under another lamp: for calibration, for training and for tests of robustness."""

from typing import TYPE_CHECKING

from zoo.data.relight.light import FAMILIES, SEVERITIES, Light, lights
from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.data.relight.families import relight, relight_image
    from zoo.data.relight.transform import Relight

__all__ = ["FAMILIES", "SEVERITIES", "Light", "Relight", "lights", "relight", "relight_image"]

# Resolved on first use: the names of the families must not cost an import of torch.
__getattr__ = lazy_names(
    __name__,
    {
        "Relight": "zoo.data.relight.transform",
        "relight": "zoo.data.relight.families",
        "relight_image": "zoo.data.relight.families",
    },
)
