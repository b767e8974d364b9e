"""What the lightning modules of the family share: the teacher's features, checks, steps."""

from __future__ import annotations

from anomalib.data import Batch
from torch import Tensor

from zoo.methods.frozen import FrozenFeatures
from zoo.methods.method import TrainedMethod
from zoo_plugins._distillation.teacher import check_image_size
from zoo_plugins._distillation.torch_model import ReverseDistillationModel


class Distillation(TrainedMethod):
    """Mixin for anomalib modules whose `model` is a `ReverseDistillationModel`."""

    mixed_precision = True
    model: ReverseDistillationModel
    feature_cache_mb: float
    _frozen: FrozenFeatures | None = None

    def check_size(self) -> None:
        """Raise unless the size of the network's input suits its layers; see `check_image_size`."""
        if self.input_size is not None:
            check_image_size(self.model.teacher, self.input_size)

    def on_train_start(self) -> None:
        """Compute the teacher's features of the training images once, where that is possible."""
        self._frozen = FrozenFeatures.fill(self, self.model.teacher, self.feature_cache_mb)

    def on_train_end(self) -> None:
        """Let the features go."""
        self._frozen = None

    def teacher_features(self, batch: Batch) -> list[Tensor]:
        """Return the teacher's maps of a training batch, (B, C_k, h_k, w_k)."""
        if self._frozen is not None:
            return self._frozen(batch.image_path, self.device)
        return self.model.teacher(batch.image)
