"""What a run wrote is known by its SHA-256, also after a new calibration, a kill, an undo."""

from __future__ import annotations

import json

import pytest

from zoo.postprocess.calibration import Calibration
from zoo.runs import calibrations as history
from zoo.runs import checksums
from zoo.runs.check import check_run, damage, read_calibration
from zoo.runs.checksums import verify_all
from zoo.runs.folder import FORMAT_VERSION, atomic_folder, write_json
from zoo.utils.errors import ZooError

FILES = ("config.yaml", "metrics.json", "cost.json", "calibration.json", "model.ckpt")
FILES += ("histograms.npz", "maps/validation/index.json")


@pytest.fixture
def run(tmp_path):
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "config.yaml").write_text("# anomalib-zoo==0.1.0\n")
        (folder / "model.ckpt").write_bytes(bytes(range(256)))
        (folder / "histograms.npz").write_bytes(b"histograms")
        (folder / "maps/validation").mkdir(parents=True)
        write_json(folder / "maps/validation/index.json", [])
        write_json(folder / "cost.json", {"total_s": 1.0})
        Calibration(0.5).save(folder / "calibration.json")
        facts = {"recipe": "quick", "method": "m", "object": "part", "seed": 0}
        facts |= {"format": FORMAT_VERSION, "vand4_admissible": "yes", "splits": {}}
        write_json(folder / "metrics.json", facts)
    return tmp_path / "run"


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_damage(run, name):
    sound = (run / name).read_bytes()
    assert damage(run) is None
    for place in {len(sound) // 3, len(sound) - 1} if name != "config.yaml" else {len(sound) - 1}:
        data = bytearray(sound)
        data[place] ^= 1
        (run / name).write_bytes(data)
        assert damage(run).startswith(str(run / name))
        assert "\n" not in damage(run)
    (run / name).write_bytes(sound)
    assert damage(run) is None


def test_models_are_left_to_those_who_load_them(run):
    (run / "model.ckpt").write_bytes(b"other")
    check_run(run, with_model=False)
    with pytest.raises(ZooError, match=r"model.ckpt is not the file .*copy the run again"):
        check_run(run)


def test_a_calibration_of_another_run_is_none_of_this_one(run):
    Calibration(0.25).save(run / "calibration.json")
    with pytest.raises(ZooError, match="`zoo calibrate RUN --rule RULE` makes a new one"):
        read_calibration(run)


def test_a_new_calibration_is_the_runs_own_and_so_is_an_older_one(run):
    history.set_calibration(run, Calibration(0.75, given=True))
    verify_all(run)
    assert read_calibration(run).threshold == 0.75
    assert check_run(run)["vand4_admissible"].startswith("no: ")  # metrics were written again
    history.undo_calibration(run)
    verify_all(run)
    assert read_calibration(run).threshold == 0.5
    assert check_run(run)["vand4_admissible"] == "yes"


def test_an_older_calibration_is_checked_as_well(run):
    (run / "calibration.json").write_text(Calibration(0.1).to_text())  # damaged before it is kept
    history.set_calibration(run, Calibration(0.75))
    with pytest.raises(ZooError, match=r"0001.json is not the file that the run wrote"):
        read_calibration(run, "calibrations/0001.json")


@pytest.mark.parametrize("n_written", range(3))
def test_a_kill_while_a_file_is_replaced_leaves_a_sound_run(run, monkeypatch, n_written):
    real, written = checksums.write_bytes, []

    def killed(path, data):
        if len(written) == n_written:
            raise KeyboardInterrupt
        written.append(real(path, data))

    for threshold in (0.75, 0.8):
        with monkeypatch.context() as patch:
            patch.setattr(checksums, "write_bytes", killed)
            with pytest.raises(KeyboardInterrupt):
                checksums.put_file(
                    run, "calibration.json", Calibration(threshold).to_text().encode()
                )
        written.clear()
        verify_all(run)
        assert read_calibration(run).threshold in (0.5, threshold)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"model.ckpt": "0"}', '{"model.ckpt": []}', '{"model.ckpt": ["x"]}']
)
def test_a_damaged_record_is_one_line(run, text):
    (run / "checksums.json").write_text(text)
    with pytest.raises(ZooError, match=r"checksums.json") as caught:
        check_run(run)
    assert "\n" not in str(caught.value)


def test_a_link_leads_nobody_out_of_a_run(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/0001.json").write_text("mine")
    (run / "calibrations").symlink_to(tmp_path / "elsewhere")
    for work in (
        lambda: history.set_calibration(run, Calibration(0.75)),
        lambda: history.undo_calibration(run),
    ):
        with pytest.raises(ZooError, match=r"calibrations is a link to .*: remove the link"):
            work()
    assert [path.read_text() for path in (tmp_path / "elsewhere").iterdir()] == ["mine"]
    assert read_calibration(run).threshold == 0.5


def test_an_unknown_record_of_a_table_is_no_matter(run):
    (run / "checksums.json").unlink()
    assert check_run(run, with_model=False)["seed"] == 0
    assert json.loads((run / "metrics.json").read_text())["seed"] == 0
