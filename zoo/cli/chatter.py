"""Keeps the libraries' chatter off the screen; errors still come through."""

from __future__ import annotations

import logging
import os
import sys
import warnings

_LIBRARIES = r"(anomalib|lightning|timm|torch|torchmetrics|kornia|jsonargparse)"


def quiet() -> None:
    """Silence warnings and notices; call it before the libraries are imported.

    Loggers are filtered at the root of what they print, since lightning sets the levels of its own
    loggers anew when it is imported.
    """
    logging.disable(logging.WARNING)
    for category in (FutureWarning, UserWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=_LIBRARIES)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # a log file is no place for bars
