"""One recipe, one seed and one rule for all objects, or one clear line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from zoo.data.known_images import image_digests
from zoo.runs.checksums import write_checksums
from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import Image, on_disk
from zoo.vand.submission.runs import check_calibrations, expected_of, find_runs


def edit(path: Path, **values: object) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, **values}))
    write_checksums(path.parent)


def reconfigure(run: Path, change) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    change(config)
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    write_checksums(run)


@pytest.mark.parametrize(
    "given", [["runs"], ["runs/quick"], ["runs/quick/lid/seed0", "runs/quick/gear/seed0"]]
)
def test_runs_are_found_in_their_folders_and_above(grid, given):
    found = find_runs([Path(each) for each in given])
    assert [run.object_name for run in found] == ["gear", "lid"]
    assert expected_of(found) == on_disk(grid.data)


def test_the_same_run_given_twice_is_one(grid):
    assert len(find_runs([grid.runs, grid.gear])) == 2


def test_several_recipes(grid):
    other = shutil.copytree(grid.gear, grid.runs / "other/gear/seed0")
    edit(other / "metrics.json", recipe="other")
    with pytest.raises(ZooError, match=r"several recipes \(other, .*quick\): a submission is of"):
        find_runs([grid.runs])
    assert len(find_runs([grid.runs / "quick"])) == 2


def test_several_seeds(grid):
    for run in (grid.gear, grid.lid):
        edit(shutil.copytree(run, run.with_name("seed1")) / "metrics.json", seed=1)
    with pytest.raises(ZooError, match="seeds 0, 1: choose one for all with --seed N"):
        find_runs([grid.runs])
    assert {run.seed for run in find_runs([grid.runs], seed=1)} == {1}
    with pytest.raises(ZooError, match="no run of seed 2 there, only 0, 1"):
        find_runs([grid.runs], seed=2)
    with pytest.raises(ZooError, match="choose one for all"):
        find_runs([grid.gear, grid.lid.with_name("seed1")])


def test_two_runs_of_one_object(grid):
    shutil.copytree(grid.gear, "elsewhere")
    with pytest.raises(ZooError, match="two runs of 'gear'"):
        find_runs([grid.runs, Path("elsewhere")])


def test_a_setting_that_differs_between_objects(grid):
    def change(config):
        config["model"]["init_args"]["image_size"] = 128

    reconfigure(grid.lid, change)
    with pytest.raises(
        ZooError, match=r"image_size' is 64 in .*gear.* and 128 in .*lid.*: one recipe"
    ):
        find_runs([grid.runs])


def test_a_rule_that_differs_between_objects(grid):
    edit(grid.lid / "calibration.json", rule="MeanStd", parameters={"k": 3})
    with pytest.raises(
        ZooError, match=r"gear.* was calibrated by 'Quantile', .*lid.* by 'MeanStd'"
    ):
        find_runs([grid.runs])
    edit(grid.lid / "calibration.json", rule="Quantile", parameters={"q": 0.9})
    with pytest.raises(ZooError, match=r"lid.* by 'Quantile' or with other parameters"):
        find_runs([grid.runs])


def test_an_object_without_a_run(grid):
    with pytest.raises(ZooError, match="no run of lid: a submission needs all objects of"):
        expected_of(find_runs([grid.gear]))


def test_no_run_at_all(grid, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ZooError, match="no finished run at"):
        find_runs([tmp_path / "empty"])
    with pytest.raises(ZooError, match="no such folder at"):
        find_runs([tmp_path / "nowhere"])


def test_kept_maps_are_enough_where_the_data_set_is_gone(grid):
    def change(config):
        config["data"]["init_args"]["root"] = "/gone"

    for run in (grid.gear, grid.lid):
        reconfigure(run, change)
    assert expected_of(find_runs([grid.runs])).images == on_disk(grid.data).images
    shutil.rmtree(grid.lid / "maps")
    found = find_runs([grid.runs])
    with pytest.raises(ZooError, match=r"is not at .*gone: name it with --data.root DIR"):
        expected_of(found)
    assert expected_of(found, grid.data).images == on_disk(grid.data).images


def test_runs_on_several_data_sets(grid):
    def change(config):
        config["data"]["init_args"]["root"] = "/elsewhere"

    reconfigure(grid.lid, change)
    with pytest.raises(ZooError, match="several data sets"):
        expected_of(find_runs([grid.runs]))


def given(run: Path, *images: str) -> None:
    edit(run / "calibration.json", given=True, images=list(images), split="lamp")


def test_runs_that_were_calibrated_in_different_ways(grid):
    given(grid.lid, "0" * 16)
    with pytest.raises(
        ZooError, match=r"lid.* was calibrated on given images, .*gear.* on images of the"
    ):
        find_runs([grid.runs])
    given(grid.gear, "1" * 16)
    assert len(find_runs([grid.runs])) == 2


def test_a_run_that_was_calibrated_on_a_test_image(grid):
    """The data set may have been away when `zoo calibrate` looked for it."""
    found = find_runs([grid.runs])
    check_calibrations(found, grid.data)
    wanted = grid.data / "lid" / "test_private_mixed" / "001_mixed.png"
    for run in (grid.gear, grid.lid):
        given(run, "0" * 16, *image_digests([wanted]))
    with pytest.raises(ZooError, match=r"was calibrated on .*, a test image"):
        check_calibrations(find_runs([grid.runs]), grid.data)


@pytest.mark.parametrize(
    "name", ["../../../../X", "/etc", "..", "", "a/b", "a\\b", "a\nb", 3, None]
)
def test_names_of_metrics_lead_nowhere(grid, name):
    edit(grid.lid / "metrics.json", object=name)
    with pytest.raises(ZooError) as error:
        find_runs([grid.runs])
    assert "\n" not in str(error.value)
    edit(grid.lid / "metrics.json", object="lid", recipe=name)
    if name != "a/b":  # recipes have folders
        with pytest.raises(ZooError):
            find_runs([grid.lid])


@pytest.mark.parametrize("stem", ["..", "a/b", "", "a\0b"])
def test_names_of_images_lead_nowhere(stem):
    with pytest.raises(ZooError, match="image"):
        Image("lid", "test_private", stem, (4, 4))
    with pytest.raises(ZooError, match="object"):
        Image(stem, "test_private", "000", (4, 4))
