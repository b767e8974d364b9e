"""INP-Former: an image is rebuilt from a few prototypes that are drawn from itself."""

from zoo_plugins.inpformer.lightning_model import ZooInpFormer

__all__ = ["ZooInpFormer"]
