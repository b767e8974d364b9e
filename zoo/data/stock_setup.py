"""Sets up a stock anomalib datamodule without a trainer: no download, one seed for all splits."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from anomalib.data import AnomalibDataModule
from anomalib.data.datamodules.base.video import AnomalibVideoDataModule
from lightning.pytorch.utilities.seed import isolate_rng

from zoo.data.listing import is_hidden
from zoo.data.sample import Sample
from zoo.data.stock_samples import listed, lists_pictures
from zoo.utils.errors import ZooError, one_line


def set_up(datamodule: AnomalibDataModule, seed: int) -> dict[str, list[Sample]]:
    """Let a datamodule find and split its images, and return them.

    Args:
        datamodule: Any of anomalib's, or one like them.
        seed: Decides every split that the datamodule's own seed does not.

    Returns:
        The samples of train, validation and test.

    Raises:
        ZooError: There is no data, it cannot be read, or its items are no plain image files.
    """
    name = type(datamodule).__name__
    no_pictures = ZooError(
        f"the items of {name} are no plain image files: runs of the zoo need pictures; "
        "anomalib's own engine takes video and depth data"
    )
    if isinstance(datamodule, AnomalibVideoDataModule):
        raise no_pictures
    root = getattr(datamodule, "root", None)
    if root is not None and not Path(root).is_dir():
        raise ZooError(
            f"no data of {name} at {root}: the folder does not exist and nothing is downloaded; "
            "put the data there or set --data.root"
        )
    try:
        with _drawn_by(seed), _texts_as_objects(), _without_hidden_files():
            if _is_on_disk(datamodule):
                datamodule.prepare_data()
            datamodule.setup()
            if not lists_pictures(datamodule):
                raise no_pictures
            return listed(datamodule)
    except ZooError:
        raise
    except Exception as error:  # whatever a datamodule reads its data with
        raise ZooError(
            f"{name} cannot list its images ({one_line(error)}): compare the folders below "
            f"{root or 'its paths'} with anomalib's documentation of {name}"
        ) from error


def _is_on_disk(datamodule: AnomalibDataModule) -> bool:
    """Whether `prepare_data` finds its category there.

    All it then does is arrange files (`Visa` writes its split); otherwise it would download.
    """
    root, category = getattr(datamodule, "root", None), datamodule.category
    return bool(root and category) and (Path(root) / category).is_dir()


@contextmanager
def _drawn_by(seed: int) -> Iterator[None]:
    """Seed every generator, and leave all as they were: the fit draws as if nothing was split."""
    with isolate_rng(include_cuda=False):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - pandas draws from the global generator
        torch.manual_seed(seed)
        yield


@contextmanager
def _without_hidden_files() -> Iterator[None]:
    """Let a datamodule find no `._7.png`: anomalib pairs images and masks by counting them."""
    glob = Path.glob

    def visible(folder: Path, *args: Any, **kwargs: Any) -> Iterator[Path]:
        for path in glob(folder, *args, **kwargs):
            if not any(is_hidden(name) for name in path.relative_to(folder).parts):
                yield path

    Path.glob = visible
    try:
        yield
    finally:
        Path.glob = glob


@contextmanager
def _texts_as_objects() -> Iterator[None]:
    """Let tables of texts hold None and lists, as before pandas 3.

    anomalib 2.7 writes both into columns of texts; pandas 3 gave these a type that refuses them
    (`MVTecLOCO`, `Tabular`) or compares otherwise (`AutoVI`).
    """
    if not pd.__version__.startswith("3."):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*future.infer_string")  # pandas 4 drops it
        with pd.option_context("future.infer_string", False):
            yield
