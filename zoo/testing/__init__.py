"""What authors of methods test with: `check_method`, the contract of every method of the zoo.

A test file of one line is enough, and pytest is not needed to run it::

    def test_contract():
        check_method("my_method")
"""

from importlib import import_module

# Resolved on first use: the contract imports torch and anomalib.
_LAZY = {
    "CHECKS": "zoo.testing.contract",
    "ContractError": "zoo.testing.contract",
    "check_method": "zoo.testing.contract",
    "compare_devices": "zoo.testing.devices",
}

__all__ = ["CHECKS", "ContractError", "check_method", "compare_devices"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
