"""The contract that every method of the zoo keeps."""

from zoo.testing import check_method


def test_template():
    check_method("template")
