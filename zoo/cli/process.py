"""Settings of the process that must stand before the libraries are imported: quiet, and polite."""

from __future__ import annotations

import logging
import os
import warnings

_LIBRARIES = r"(anomalib|lightning|timm|torch|torchmetrics|kornia|jsonargparse)"


def share_cores() -> None:
    """Let waiting OpenMP threads sleep instead of spin.

    Two spinning threads on cores that others use too made one forward pass 40 times slower (2.1 s
    instead of 0.05 s); alone on a machine the difference is small. Your own setting is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def quiet() -> None:
    """Silence warnings and notices; call it before the libraries are imported.

    Loggers are filtered at the root of what they print, since lightning sets the levels of its own
    loggers anew when it is imported.
    """
    logging.disable(logging.WARNING)
    for category in (FutureWarning, UserWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=_LIBRARIES)
    # One progress line is ours; bars of libraries would write over it, and flood log files.
    os.environ.setdefault("TQDM_DISABLE", "1")
