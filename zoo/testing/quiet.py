"""A block that prints, logs and warns nothing, and leaves the random generators as they were."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from lightning.pytorch.utilities.seed import isolate_rng


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the talk of trainers out of somebody's test report."""
    disabled = logging.root.manager.disable
    with (
        isolate_rng(),
        warnings.catch_warnings(),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)
