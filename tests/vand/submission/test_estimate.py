"""What a submission will take is said in bytes and time, before the first image."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import official
from zoo.vand.submission.write import check_space, estimate, seconds_per_image, size


@pytest.fixture
def run(tmp_path):
    """Return a run of ten images that took two seconds each."""
    cost = {"phases": {"test_private": {"wall_s": 20.0}}, "latency": {"mean_ms": 500.0}}
    (tmp_path / "cost.json").write_text(json.dumps(cost))
    metrics = {"splits": {"test_private": {"n_images": 10}}}
    return SimpleNamespace(
        folder=tmp_path, metrics=metrics, keeps_maps=lambda: False, object_name="vial"
    )


def test_time_comes_from_what_the_run_took(run):
    assert seconds_per_image(run) == 2.0
    (run.folder / "cost.json").write_text('{"phases": {}, "latency": {"mean_ms": 500}}')
    assert seconds_per_image(run) == 0.5
    (run.folder / "cost.json").write_text("{")
    assert seconds_per_image(run) == 0.0
    run.keeps_maps = lambda: True
    assert seconds_per_image(run) == 0.0


def test_the_whole_official_submission(run):
    """32.74 GB of maps is what uncompressed float16 makes of all native pixels."""
    folder_bytes, archive_bytes, seconds = estimate([run], official(), packs=True)
    assert 32.74e9 < folder_bytes < 33.2e9
    assert size(archive_bytes) == "11.6 GB"
    assert seconds > 2 * 276 * 2.0  # the object that has a run
    assert estimate([run], official(), packs=False)[:2] == (folder_bytes, 0)


def test_space_is_looked_for_where_the_submission_will_be(tmp_path):
    assert check_space(tmp_path / "not/yet/there", 1) > 1
    with pytest.raises(ZooError, match=r"the submission needs 1000000\.0 GB: free some"):
        check_space(tmp_path / "sub", 10**15)


def test_sizes_are_said_as_people_say_them():
    assert size(32_740_000_000) == "32.7 GB"
    assert size(1_500_000) == "1.5 MB"
