"""A small rendered data set in the layout of MVTec AD 2, for tests, demos and measurements."""

from zoo.data.tiny.write import OBJECTS, write_tiny

__all__ = ["OBJECTS", "write_tiny"]
