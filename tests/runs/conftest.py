"""A recipe that fits in a second."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

RECIPE = """# PatchCore on small images with random weights, for tests.
model:
  class_path: ZooPatchcore
  init_args:
    weights: random
    image_size: 64
    coreset_sampling_ratio: 0.1
    post_processor:
      class_path: zoo.post.BlobPostProcessor
      init_args:
        rule:
          class_path: zoo.post.Quantile
          init_args: {q: 0.99, min_area_px: 4}
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 4, eval_batch_size: 4}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "quick.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def interruptible():
    """Let SIGINT raise, also where a shell has ignored it for tests that run behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
