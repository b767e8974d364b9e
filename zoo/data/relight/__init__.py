"""The same scene under another lamp: for calibration, for training and for tests of robustness."""

from importlib import import_module

# Resolved on first use: the names of the families must not cost an import of torch.
_LAZY = {
    "FAMILIES": "zoo.data.relight.light",
    "SEVERITIES": "zoo.data.relight.light",
    "Light": "zoo.data.relight.light",
    "Relight": "zoo.data.relight.transform",
    "lights": "zoo.data.relight.light",
    "relight": "zoo.data.relight.apply",
    "relight_image": "zoo.data.relight.apply",
}

__all__ = ["FAMILIES", "SEVERITIES", "Light", "Relight", "lights", "relight", "relight_image"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
