"""Names of the objects of the published data sets, which no method and no recipe may mention.

Objects of MVTec AD 2, MVTec AD and VisA. Left out are `grid` and `tile`: options of algorithms are
called so, and a literal that names the option must not be taken for the object.
"""

from __future__ import annotations

_MVTEC_AD_2 = "can fabric fruit_jelly rice sheet_metal vial wallplugs walnuts"
_MVTEC_AD = (
    "bottle cable capsule carpet hazelnut leather metal_nut pill screw toothbrush transistor wood "
    "zipper"
)
_VISA = "candle capsules cashew chewinggum fryum macaroni1 macaroni2 pcb1 pcb2 pcb3 pcb4 pipe_fryum"

OBJECT_NAMES = frozenset(f"{_MVTEC_AD_2} {_MVTEC_AD} {_VISA}".split())


def names_object(text: str) -> bool:
    """Return whether a whole text is an object's name, as a folder or in words.

    Example:
        >>> names_object("Fruit Jelly"), names_object("can be loaded")
        (True, False)
    """
    return "_".join(text.casefold().replace("-", " ").split()) in OBJECT_NAMES
