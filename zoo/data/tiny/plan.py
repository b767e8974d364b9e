"""Which scenes a set consists of, and under which names and lights their images are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zoo.data.tiny.camera import MIXED_LIGHTS, PUBLIC_LIGHTS
from zoo.data.tiny.defects import KINDS
from zoo.data.tiny.scene import Draws, Frame

# share of the bad scenes that carry a second defect
_TWO_DEFECTS = 0.25


@dataclass(frozen=True)
class Size:
    """How much is rendered, and how large; good and bad scenes are counted apart.

    Attributes:
        name: Names it in the record of a set.
        frames: Field of view per object.
        objects: Objects that are rendered by default.
        train: Scenes for training.
        validation: Scenes for calibration.
        public: Normal and anomalous scenes of test_public, each under every public light.
        private: Normal and anomalous scenes of test_private and test_private_mixed.
    """

    name: str
    frames: dict[str, Frame]
    objects: tuple[str, ...]
    train: int
    validation: int
    public: tuple[int, int]
    private: tuple[int, int]


SMALL = Size(
    name="small",
    # beans: so near that one of them spans about 75 pixels, and a dent in it shows
    frames={
        "weave": Frame(320, 240),
        "badge": Frame(328, 208),
        "beans": Frame(320, 224, magnification=1.75),
    },
    objects=("weave", "badge", "beans"),
    train=24,
    validation=8,
    public=(3, 5),
    private=(6, 10),
)


@dataclass(frozen=True)
class Shot:
    """One image of a scene: its split folder, file and light, and the path of its mask if any."""

    split: str
    file: str
    light: str
    mask: str | None = None


@dataclass(frozen=True)
class Scene:
    """One physical scene.

    Attributes:
        group: Name of the scene, unique within the object; also the key of its random draws.
        defects: Kinds of defect, empty for a normal scene.
        shots: Its images.
    """

    group: str
    defects: tuple[str, ...]
    shots: tuple[Shot, ...]


def scenes(object_name: str, size: Size, seed: int) -> Iterator[Scene]:
    """Yield the scenes of one object, in the order of their folders."""
    for split, count in (("train", size.train), ("validation", size.validation)):
        for number in range(count):
            shot = Shot(f"{split}/good", f"{number:03d}_regular.png", "regular")
            yield Scene(f"{split}_{number:03d}", (), (shot,))
    for label, count in zip(("good", "bad"), size.public, strict=True):
        for number in range(count):
            group = f"public_{label}_{number:03d}"
            shots = tuple(_public_shot(label, number, light) for light in PUBLIC_LIGHTS)
            yield Scene(group, _defects(object_name, group, number, seed), shots)
    yield from _private_scenes(object_name, size, seed)


def _public_shot(label: str, number: int, light: str) -> Shot:
    name = f"{number:03d}_{light}"
    mask = f"test_public/ground_truth/bad/{name}_mask.png" if label == "bad" else None
    return Shot(f"test_public/{label}", f"{name}.png", light, mask)


def _private_scenes(object_name: str, size: Size, seed: int) -> Iterator[Scene]:
    """Yield the private scenes, normal and anomalous shuffled, twice photographed each."""
    contents = [
        (f"private_{label}_{number:03d}", number)
        for label, count in zip(("good", "bad"), size.private, strict=True)
        for number in range(count)
    ]
    order = Draws(seed, object_name, "private")("order").permutation(len(contents))
    for place, chosen in enumerate(order):
        group, number = contents[chosen]
        rng = Draws(seed, object_name, group)("mixed light")
        lights = ("regular", MIXED_LIGHTS[rng.integers(len(MIXED_LIGHTS))])
        names = (f"{place:03d}_regular", f"{place:03d}_mixed")
        splits = ("test_private", "test_private_mixed")
        shots = tuple(
            Shot(split, f"{name}.png", light, f"private_ground_truth/{split}/{name}_mask.png")
            for split, name, light in zip(splits, names, lights, strict=True)
        )
        yield Scene(group, _defects(object_name, group, number, seed), shots)


def _defects(object_name: str, group: str, number: int, seed: int) -> tuple[str, ...]:
    """Return the kinds of defect of a scene: all kinds take turns, so that none is rare."""
    split, label, _ = group.split("_")
    if label == "good":
        return ()
    kinds = sorted(KINDS)
    turn, place = divmod(number, len(kinds))
    order = Draws(seed, object_name, f"{split} turn {turn}")("kinds").permutation(len(kinds))
    first = kinds[order[place]]
    rng = Draws(seed, object_name, group)("second defect")
    if rng.random() >= _TWO_DEFECTS:
        return (first,)
    others = [kind for kind in kinds if kind != first]
    return (first, others[rng.integers(len(others))])
