"""Methods with one fault each, named after it."""

import contextlib
import socket

import numpy as np
from anomalib.models import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from torch import nn
from torchvision.transforms.v2 import CenterCrop, Compose, Resize, Transform
from torchvision.tv_tensors import Mask

from zoo_fakes.sound import FakeMean, FakeModel


class NoModel:
    pass


class Abstract(AnomalibModule):
    pass


class Twin(FakeMean):
    pass


class Downloading(FakeMean):
    def __init__(self, image_size: int = 32, **components):
        super().__init__(image_size, **components)
        with contextlib.suppress(Exception):  # as libraries do that fall back to a cache
            socket.create_connection(("192.0.2.1", 80), timeout=0.1)


class Demanding(FakeMean):
    def __init__(self, image_size: int, **components):
        super().__init__(image_size, **components)


class Bare(FakeMean):
    def __init__(self, image_size: int = 32):
        super().__init__(image_size)


class Deaf(FakeMean):
    def __init__(self, image_size: int = 32, **components):
        super().__init__(image_size)


class OwnPostProcessor(FakeMean):
    @staticmethod
    def configure_post_processor():
        return PostProcessor()


class Invert(Transform):
    def transform(self, image, params):
        return image if isinstance(image, Mask) else 1 - image


class OddTransform(FakeMean):
    def __init__(self, image_size: int = 32, pre_processor: nn.Module | bool = True, **components):
        if pre_processor is True:
            pre_processor = PreProcessor(Compose([Resize((image_size, image_size)), Invert()]))
        super().__init__(image_size, pre_processor, **components)


class Cropping(FakeMean):
    def __init__(self, image_size: int = 32, pre_processor: nn.Module | bool = True, **components):
        if pre_processor is True:
            pre_processor = PreProcessor(Compose([Resize((64, 64)), CenterCrop(image_size)]))
        super().__init__(image_size, pre_processor, **components)


class OwnPreProcessor(PreProcessor):
    """What a method with such a transform should do."""

    def __init__(self, size):
        super().__init__(Compose([Resize((size, size)), Invert()]))
        self.size = size

    def checkpoint_config(self):
        return {"size": self.size}

    def load_checkpoint_config(self, config):
        self.__init__(config["size"])


class HookedTransform(FakeMean):
    def __init__(self, image_size: int = 32, pre_processor: nn.Module | bool = True, **components):
        if pre_processor is True:
            pre_processor = OwnPreProcessor(image_size)
        super().__init__(image_size, pre_processor, **components)


class Failing(FakeMean):
    def training_step(self, batch, *args):
        raise RuntimeError("out of patience\nat step 3")


class Altered(FakeModel):
    """Hands on what `alter` makes of the sound score map."""

    def forward(self, images):
        sound = super().forward(images)
        score_map = self.alter(sound.anomaly_map)
        return sound._replace(anomaly_map=score_map, pred_score=score_map.flatten(1).amax(1))


class Clamped(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return score_map.clamp(0, 0.5)


class ClampedBelow(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return (score_map - 0.2).clamp_min(0)


class Constant(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return score_map.mean((1, 2, 3), keepdim=True).expand_as(score_map)


class NotFinite(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return (score_map - 0.1).sqrt()


class Coarse(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return score_map[..., ::4, ::4]


class OneMap(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return score_map.amax(0, keepdim=True)


class NoMap(FakeMean):
    class model_class(FakeModel):
        def forward(self, images):
            return super().forward(images)._replace(anomaly_map=None)


class OneScore(FakeMean):
    class model_class(FakeModel):
        def forward(self, images):
            sound = super().forward(images)
            return sound._replace(pred_score=sound.pred_score.amax())


class UpsideDown(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return -score_map


class Turned(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return score_map.mT


class WrongScore(FakeMean):
    class model_class(FakeModel):
        def forward(self, images):
            sound = super().forward(images)
            return sound._replace(pred_score=-sound.pred_score)


class PerBatch(FakeMean):
    class model_class(Altered):
        def alter(self, score_map):
            return score_map - score_map.mean()


class Remembering(FakeMean):
    class model_class(Altered):
        seen = 0

        def alter(self, score_map):
            self.seen += 1
            return score_map + 0.01 * self.seen


class Unseeded(FakeMean):
    class model_class(FakeModel):
        def learn(self, images):
            super().learn(images)
            # One number for all pixels: a wild one at a single pixel would be every map's maximum.
            self.mean += float(np.random.default_rng().uniform(0.02, 0.2))


class Forgetful(FakeMean):
    class model_class(Altered):
        offset = 0.0

        def learn(self, images):
            super().learn(images)
            self.offset = float(images.mean())

        def alter(self, score_map):
            return score_map + self.offset


class NativeOnly(FakeMean):
    def training_step(self, batch, *args):
        assert len(batch.native_size) == len(batch.image)
        super().training_step(batch)


class NotForRecipes(FakeMean):
    def __init__(self, image_size: int = 32, **components):
        super().__init__(int(image_size), **components)
