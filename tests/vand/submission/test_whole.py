"""An archive with the eight real object names and all 4,090 images passes, end to end."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.cli import main
from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import MVTEC_AD_2, check_published, official, on_disk
from zoo.vand.submission.write import pack

SHRUNK = 64  # so many times smaller than the real images


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Return the private images of MVTec AD 2 by name and number, small and grey."""
    root = tmp_path_factory.mktemp("mvtec_ad_2")
    for name, (width, height, _) in MVTEC_AD_2.items():
        (root / name / "train/good").mkdir(parents=True)
        grey = np.zeros((height // SHRUNK, width // SHRUNK), np.uint8)
        data = cv2.imencode(".png", grey)[1].tobytes()
        for image in official().of(name):
            path = root / name / image.split / f"{image.stem}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    return root


@pytest.mark.slow
def test_all_real_names_and_counts_pass(root, tmp_path, write_submission, capsys):
    expected = on_disk(root)
    with pytest.raises(ZooError, match="has in another size"):  # the names are right
        check_published(expected)
    folder = write_submission(tmp_path / "entry", expected)
    archive = pack(folder, tmp_path / "entry.tar.gz", "entry")
    assert main(["submit", "--check", str(archive), "--data.root", str(root)]) == 0
    assert "has no error: 4090 maps and 4090 masks of 8 objects" in capsys.readouterr().out
    # Without knowing of the small images every size is wrong, and nothing else is.
    assert main(["submit", "--check", str(archive)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("error: ") for line in out) == 4
    assert out[3] == "error: 8177 more of this kind"
    assert "34x16, its image is 2232x1024" in "\n".join(out)
