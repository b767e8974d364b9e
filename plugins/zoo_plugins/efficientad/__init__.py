"""EfficientAD: a small student that imitates a teacher and an autoencoder on normal images."""

from zoo_plugins.efficientad.lightning_model import ZooEfficientAd

__all__ = ["ZooEfficientAd"]
