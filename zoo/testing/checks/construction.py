"""What a constructor does and makes: no download, the shared post-processor, lasting transforms."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from anomalib.pre_processing import PreProcessor

from zoo.data.dataset import NativeBatch
from zoo.methods import BlobPostProcessor
from zoo.testing.isolation import NetworkTouched, no_network
from zoo.testing.method_under_test import MethodUnderTest


def downloads_nothing(under_test: MethodUnderTest) -> Iterator[str]:
    """Find a constructor that reaches for the network, or fails."""
    try:
        with no_network(under_test.folder):
            _ = under_test.built  # is built when it is asked for
    except NetworkTouched as touched:
        yield (
            f"the constructor reaches for {touched}; build without weights by default, or with "
            "zoo.methods.weights.create_backbone(..., 'embedded')"
        )


def fits_a_recipe(under_test: MethodUnderTest) -> Iterable[str]:
    """Find a constructor that the parser of recipes and command lines cannot read."""
    under_test.experiment("recipe")
    return ()


def takes_components(under_test: MethodUnderTest) -> Iterator[str]:
    """Find arguments that every anomalib model has and that are missing or without effect."""
    given = {
        # Its own: some methods ask the pre-processor for their input size.
        "pre_processor": under_test.built.pre_processor or PreProcessor(),
        "post_processor": BlobPostProcessor(),
        "evaluator": False,
        "visualizer": False,
    }
    parameters = inspect.signature(under_test.method_class.__init__).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    missing = [] if open_ended else [name for name in given if name not in parameters]
    if missing:
        yield (
            f"the constructor has no {', '.join(missing)}; add it with the default True and hand "
            "it to super().__init__"
        )
        return
    model = under_test.build(**given)
    for name, component in given.items():
        expected = component if component is not False else None
        if getattr(model, name) is not expected:
            yield f"the constructor ignores {name}; hand it to super().__init__"


def shares_the_post_processor(under_test: MethodUnderTest) -> Iterator[str]:
    """Find another post-processor: masks of all methods come from one and the same."""
    kind = type(under_test.built.post_processor)
    if kind is not BlobPostProcessor:
        yield (
            f"the post-processor is {kind.__name__}, not BlobPostProcessor; put ZooMethod first "
            "among the bases and leave configure_post_processor alone"
        )


def keeps_its_transform(under_test: MethodUnderTest) -> Iterator[str]:
    """Find a pre-processor that a checkpoint does not bring back.

    Anomalib keeps Resize, Normalize, CenterCrop, Compose, Grayscale and SquarePad; of any other
    transform it saves nothing, and None comes back.
    """
    model: Any = under_test.built
    if model.pre_processor is None:
        return
    restored: Any = under_test.build()
    before = _prepared(under_test, model)
    try:
        stored = io.BytesIO()
        torch.save(model.pre_processor.checkpoint_config(), stored)
        stored.seek(0)
        config = torch.load(stored, weights_only=True)
        restored.pre_processor.load_checkpoint_config(config)
        after = _prepared(under_test, restored)
        same, reason = torch.equal(before, after), "images come out differently"
    except Exception as error:
        same, reason = False, str(error)
    if not same:
        yield (
            f"the pre-processor is another one after a checkpoint ({reason}); use anomalib's six "
            "transforms, or a subclass of PreProcessor with checkpoint_config and "
            "load_checkpoint_config"
        )


def _prepared(under_test: MethodUnderTest, model: Any) -> torch.Tensor:
    batch: Any = NativeBatch.collate(under_test.items(model)[:1])
    model.pre_processor.on_test_batch_start(None, model, batch, 0)
    return batch.image
