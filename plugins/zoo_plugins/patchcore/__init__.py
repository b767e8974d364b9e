"""PatchCore: the distance to a bank of patches of normal images."""

from zoo_plugins.patchcore.lightning_model import Member, ZooPatchcore

__all__ = ["Member", "ZooPatchcore"]
