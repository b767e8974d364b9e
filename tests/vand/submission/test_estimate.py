"""What a submission will take is printed in bytes before the first image."""

from __future__ import annotations

import pytest

from zoo.utils.errors import ZooError
from zoo.vand.submission.expected import official
from zoo.vand.submission.write import BYTES_PER_PIXEL, check_space, size


def test_the_whole_official_submission():
    """32.74 GB of maps is what uncompressed float16 makes of all native pixels."""
    assert size(2 * official().n_pixels) == "32.7 GB"
    assert size(BYTES_PER_PIXEL * official().n_pixels) == "33.1 GB"


def test_space_is_looked_for_where_the_submission_will_be(tmp_path):
    check_space(tmp_path / "not/yet/there", 1)
    with pytest.raises(ZooError, match=r"the submission needs 1000000\.0 GB: free some"):
        check_space(tmp_path / "sub", 10**15)
