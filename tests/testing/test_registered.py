"""Every registered method keeps the contract."""

import pytest

from zoo.methods import registry
from zoo.testing import check_method

# What makes a quick build; the contract is the same.
QUICK = {
    "rd": {"arguments": {"image_size": 128}},
    "rdpp": {"arguments": {"image_size": 128, "accumulate_batches": 1}},
    "efficientad": {
        "arguments": {"weights": "random", "teacher_channels": 16},
        "data": {"train_batch_size": 1},
    },
}
SLOW = {"efficientad"}  # 256 pixels at least


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in registry.methods()
    ],
)
def test_the_contract_is_kept(name):
    check_method(name, **QUICK.get(name, {}))
