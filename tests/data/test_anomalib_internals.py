"""Internals of anomalib are touched in one module, and what it names is there."""

from __future__ import annotations

import ast
import importlib.metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zoo.data import anomalib_internals
from zoo.data.anomalib_internals import (
    AnomalibDataset,
    hidden_files_ignored,
    samples,
    set_samples,
    set_split_dataset,
    split_dataset,
    tables_of_objects,
)
from zoo.data.sample import Sample

ROOT = Path(__file__).parents[2]
HOME = {"zoo/data/anomalib_internals.py", "zoo/data/datamodule.py"}
# Documented packages of anomalib.
PUBLIC = {"anomalib", *(f"anomalib.{name}" for name in ("cli", "data", "deploy", "engine"))}
PUBLIC |= {f"anomalib.{name}" for name in ("metrics", "models", "post_processing")}
PUBLIC |= {f"anomalib.{name}" for name in ("pre_processing", "visualization")}
PUBLIC |= {"anomalib.models.components"}
ATTRIBUTES = {"train_data", "val_data", "test_data", "_samples", "_setup"}
ATTRIBUTES |= {"_update_augmentations", "_create_test_split", "_create_val_split", "_cache"}


def sources():
    for folder in ("zoo", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in HOME and "/files/" not in name:
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_no_other_module_touches_internals():
    touches = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anomalib"):
                if node.module not in PUBLIC and not name.startswith("zoo/testing/"):
                    touches.append(f"{name}: {node.module}")
            elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
                touches.append(f"{name}: .{node.attr}")
    assert not touches


def test_it_is_verified_on_the_version_that_is_installed():
    version = importlib.metadata.version("anomalib")
    assert f"verified on anomalib {version}" in (anomalib_internals.__doc__ or "")


@pytest.mark.parametrize("name", anomalib_internals.__all__)
def test_every_name_is_there(name):
    assert getattr(anomalib_internals, name) is not None


def test_a_table_of_samples_is_read_back_in_its_order(tmp_path, write_image):
    paths = [write_image(tmp_path / f"{n}.png", np.zeros((4, 4), np.uint8)) for n in (2, 0, 1)]
    given = [Sample(paths[0], None, 0), Sample(paths[1], paths[2], 1), Sample(paths[2])]
    dataset = AnomalibDataset()
    set_samples(dataset, given, "test")
    read = samples(dataset)
    assert [(s.image_path, s.mask_path, s.label) for s in read] == [
        (s.image_path, s.mask_path, s.label) for s in given
    ]
    assert dataset.task == "segmentation"
    assert len(dataset.subsample([2, 0])) == 2


def test_datasets_of_splits_come_and_go():
    class Data:
        train_data = "whole"

    data = Data()
    set_split_dataset(data, "validation", "share")
    assert (split_dataset(data, "train"), split_dataset(data, "validation")) == ("whole", "share")
    set_split_dataset(data, "validation", None)
    assert split_dataset(data, "validation") is None


def test_patches_of_libraries_end_with_their_block(tmp_path):
    (tmp_path / "._7.png").touch()
    (tmp_path / "7.png").touch()
    with hidden_files_ignored(), tables_of_objects():
        assert [path.name for path in tmp_path.glob("*.png")] == ["7.png"]
        assert pd.DataFrame({"a": ["x", None]})["a"].dtype == object
    assert len(list(tmp_path.glob("*.png"))) == 2
