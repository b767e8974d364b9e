"""PatchCore: the distance to a bank of patches of normal images."""

from zoo_plugins.patchcore.lightning_model import ZooPatchcore
from zoo_plugins.patchcore.member import Member

__all__ = ["Member", "ZooPatchcore"]
