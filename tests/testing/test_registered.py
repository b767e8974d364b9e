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
WITHOUT_A_FIT = ("card", "object names", "components", "post-processor", "pre-processor")


@pytest.mark.parametrize("name", registry.methods())
def test_what_the_contract_asks_before_a_fit(name):
    check_method(name, **QUICK.get(name, {}), only=WITHOUT_A_FIT)


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.methods())
def test_the_contract_is_kept(name):
    check_method(name, **QUICK.get(name, {}))
