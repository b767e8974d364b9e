"""What authors of methods test with: `check_method`, the contract of every method of the zoo.

A test file of one line is enough, and pytest is not needed to run it::

    def test_contract():
        check_method("my_method")
"""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.testing.contract import CHECKS, ContractError, check_method
    from zoo.testing.devices import compare_devices

__all__ = ["CHECKS", "ContractError", "check_method", "compare_devices"]

# Resolved on first use: the contract imports torch and anomalib.
__getattr__ = lazy_names(
    __name__,
    {
        "CHECKS": "zoo.testing.contract",
        "ContractError": "zoo.testing.contract",
        "check_method": "zoo.testing.contract",
        "compare_devices": "zoo.testing.devices",
    },
)
