"""INP-Former keeps the contract, also with a transformer, in a small build."""

from zoo.testing import check_method


def test_contract():
    check_method("inpformer")
