"""A model becomes a graph: behind its resize, with its calibration, or not at all."""

from __future__ import annotations

import pytest
from torchvision.transforms.v2 import CenterCrop, Compose, InterpolationMode, Normalize, Resize

from zoo.export.graph import after_resize, export_model, metadata_of
from zoo.methods import BlobPostProcessor
from zoo.methods.post_processor import calibration_of
from zoo.utils.errors import ZooError


@pytest.fixture
def swap(fitted):
    """Return a function that gives the fitted model another part until the test ends."""
    model, own = fitted.model, {}

    def put(name, part):
        own.setdefault(name, getattr(model, name))
        setattr(model, name, part)
        return part

    yield put
    for name, part in own.items():
        setattr(model, name, part)


def test_a_model_without_calibration_makes_no_graph(fitted, tmp_path, swap):
    swap("post_processor", BlobPostProcessor())
    with pytest.raises(ZooError, match="ZooPatchcore is not calibrated"):
        export_model(fitted.model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_sizes_and_names_that_cannot_be_are_refused(fitted, tmp_path):
    with pytest.raises(ZooError, match=r"input_size \(32, 32\) is not the model's own \(64, 64\)"):
        export_model(fitted.model, tmp_path / "model.onnx", input_size=(32, 32))
    with pytest.raises(ZooError, match=r"name a \.onnx or \.xml file"):
        export_model(fitted.model, tmp_path / "model.tflite")


@pytest.mark.parametrize(
    ("transform", "size", "rest"),
    [
        (Compose([Resize((64, 96)), Normalize([0.5], [0.5])]), (64, 96), "Normalize"),
        (Compose([Compose([Resize([8, 8])]), Normalize([0.5], [0.5])]), (8, 8), "Normalize"),
        (Resize((8, 8)), (8, 8), None),
        (Normalize([0.5], [0.5]), None, "Normalize"),
    ],
)
def test_the_graph_begins_behind_the_resize(transform, size, rest, fitted, swap):
    pre_processor = swap("pre_processor", type(fitted.model.pre_processor)(transform))
    before = pre_processor.export_transform
    with after_resize(fitted.model) as found:
        assert found == size
        inside = pre_processor.export_transform
    assert pre_processor.export_transform is before
    assert "Resize" not in repr(inside)
    assert (rest in repr(inside)) if rest else inside is None
    described = metadata_of(fitted.model, calibration_of(fitted.model)).resize
    assert (described.size if described else None) == size


def test_a_resize_that_keeps_the_aspect_wants_a_size(fitted, swap):
    pre_processor = swap("pre_processor", type(fitted.model.pre_processor)(Resize(32)))
    said = r"shorter side to 32 .*give input_size"
    with pytest.raises(ZooError, match=said), after_resize(fitted.model):
        pass
    with after_resize(fitted.model, (32, 48)) as size:
        assert size == (32, 48)
    pre_processor.transform = CenterCrop(8)
    with pytest.raises(ZooError, match="crops"), after_resize(fitted.model):
        pass


@pytest.mark.parametrize(
    "resize", [Resize((8, 8), InterpolationMode.NEAREST), Resize((8, 8), antialias=False)]
)
def test_a_resize_that_no_graph_does_is_refused(resize, fitted, swap):
    swap("pre_processor", type(fitted.model.pre_processor)(resize))
    with pytest.raises(ZooError, match="fit it with bilinear or bicubic and antialias=True"):
        metadata_of(fitted.model, calibration_of(fitted.model))
