"""SuperAD: the distance to banks of tokens of normal images, one bank per layer."""

from zoo_plugins.superad.lightning_model import ZooSuperAD

__all__ = ["ZooSuperAD"]
