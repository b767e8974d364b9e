"""The file of published numbers: every one has a source, and means are those of the objects."""

from __future__ import annotations

import pandas as pd
import pytest

from zoo.results.published import object_names, published, results_folder


@pytest.fixture(scope="module")
def baselines():
    return pd.read_csv(results_folder() / "baselines.csv")


def test_every_number_has_a_source(baselines):
    assert list(baselines) == ["track", "split", "object", "method", "metric", "value", "source"]
    assert baselines.notna().all(axis=None)
    assert (baselines["source"].str.len() > 10).all()


def test_no_number_stands_there_twice(baselines):
    assert not baselines.duplicated(["track", "split", "object", "method", "metric"]).any()


def test_segf1_is_first_hand_and_transcriptions_are_marked():
    assert not any(entry.is_second_hand for entry in published("SegF1"))
    by_name = {entry.method: entry for entry in published("AU-PRO_0.05")}
    assert by_name["PatchCore @256"].is_second_hand
    assert not by_name["RoBiS"].is_second_hand


def test_limits_and_sizes_are_kept_apart():
    small = {entry.method for entry in published("AU-PRO_0.30")}
    assert "PatchCore @256" in small
    assert not any("half native" in name for name in small)
    assert {"PatchCore @256", "PatchCore @half native"} <= {
        entry.method for entry in published("AU-PRO_0.05")
    }


@pytest.mark.parametrize("metric", ["SegF1", "AU-PRO_0.05", "AU-PRO_0.30"])
def test_means_are_those_of_the_eight_objects(metric):
    assert len(object_names()) == 8
    for entry in published(metric):
        for scores in entry.published.values():
            objects = list(scores.by_object.values())
            if len(objects) == 8:
                mean = sum(objects) / 8
                # Rounding, and the server's two decimals beside objects known to one.
                assert mean == pytest.approx(scores.stated, abs=6e-4), entry.method
