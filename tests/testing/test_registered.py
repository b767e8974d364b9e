"""Every registered method keeps the contract."""

import pytest

from zoo import registry
from zoo.testing import check_method


@pytest.mark.parametrize("name", registry.methods())
def test_the_contract_is_kept(name):
    check_method(name)
