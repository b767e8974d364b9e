"""What the author of a method imports: base class, post-processor, card, registry, memory bank."""

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_names

if TYPE_CHECKING:
    from zoo.methods.method import ZooMethod
    from zoo.methods.post_processor import BlobPostProcessor

__all__ = ["BlobPostProcessor", "ZooMethod"]

__getattr__ = lazy_names(
    __name__,
    {
        "BlobPostProcessor": "zoo.methods.post_processor",
        "ZooMethod": "zoo.methods.method",
    },
)
