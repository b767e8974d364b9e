"""A home-made teacher: a patch description network distilled from a timm backbone, offline.

Seeded, resumable, and kept under the hash of everything that decides it. After arXiv 2303.14535,
section 3.1 and algorithm 3; by Muon instead of Adam, with which a few hundred steps suffice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from timm.optim.muon import Muon
from torch import Tensor, nn

from zoo.data.cache import cache_folder
from zoo.methods.weights import create_backbone, feature_layers, normalization
from zoo.runs.code import class_code, libraries
from zoo.utils.atomic import atomic_path
from zoo.utils.errors import ZooError
from zoo.utils.paths import expand_path, file_sha256
from zoo.utils.progress import duration
from zoo.utils.seeding import isolated_rng, keyed
from zoo_plugins.efficientad.networks import ModelSize, patch_network
from zoo_plugins.efficientad.sources import Source, source_of

_EMBEDDING = 1024  # of each layer, before all are pooled to the teacher's channels
_CELL = 4  # pixels: the stride of the teacher
_GREY_SHARE = 0.1
_STATISTICS_IMAGES = 64
_BLOCK_SECONDS = 60.0
_WARM_UP = 5  # steps
_BIAS_SHARE = 1 / 60  # of the rate, for AdamW, which moves what is no matrix


@dataclass(frozen=True)
class TeacherRecipe:
    """Everything that decides a home-made teacher.

    Attributes:
        model_size: small or medium.
        channels: Of its output.
        backbone: A timm name: what is distilled.
        weights: embedded, hub, or the path of a checkpoint of the backbone.
        layers: Whose features it learns. The stride of the first one is 4 or 8: the backbone sees
            images as large as the teacher does, or twice as large.
        images: generated, or a folder of images.
        image_size: Side of the squares that it sees, in pixels. It is convolutional: small squares
            are as good as large ones.
        steps: Optimizer steps.
        batch_size: Images per step.
        learning_rate: Of Muon at the beginning; it falls to zero.
        seed: Of everything that is drawn.
    """

    model_size: ModelSize = "small"
    channels: int = 384
    backbone: str = "tf_efficientnet_lite0"
    weights: str = "embedded"
    layers: tuple[str, ...] = ("blocks.1", "blocks.2")
    images: str = "generated"
    image_size: int = 128
    steps: int = 500
    batch_size: int = 4
    learning_rate: float = 0.015
    seed: int = 0


def home_made_teacher(
    recipe: TeacherRecipe,
    report: Callable[[str], None] = lambda text: None,
    device: torch.device | str = "cpu",
    folder: Path | None = None,
) -> dict[str, Tensor]:
    """Return the state dict of a teacher; made now, unless it was before.

    Args:
        recipe: What decides it.
        report: Receives how far it is.
        device: Where to make it.
        folder: Where teachers are kept; beside the image cache by default. Where nothing can be
            written the teacher is made anew each time.

    Raises:
        ZooError: No images, an unknown backbone or layer, or a loss that is not finite.
    """
    source = source_of(recipe.images)
    cache = cache_folder()
    folder = folder or (cache.with_name("teachers") if cache else Path(os.devnull))
    path = folder / f"{_key(recipe, source, device)}.pth"
    if path.is_file():
        return torch.load(path, map_location="cpu", weights_only=True)
    teacher = _distil(recipe, source, report, device, path.with_suffix(".unfinished"))
    _write(path, teacher)
    with contextlib.suppress(OSError):
        path.with_suffix(".unfinished").unlink(missing_ok=True)
    return teacher


class PatchEmbedding(nn.Module):
    """What a teacher imitates: neighbourhoods of two layers' features, pooled to few channels.

    Args:
        recipe: Names backbone, weights, layers and channels.

    Raises:
        ZooError: Unknown backbone or layer, or a first layer of another stride than 4 or 8.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, recipe: TeacherRecipe) -> None:
        super().__init__()
        indices, names = feature_layers(recipe.backbone, recipe.layers)
        self.network: Any = create_backbone(
            recipe.backbone, recipe.weights, features_only=True, out_indices=indices
        )
        self.channels = recipe.channels
        stride = self.network.feature_info.reduction()[0]
        self.enlargement = stride // _CELL  # of what the backbone sees: cells become the teacher's
        if self.enlargement not in (1, 2):
            raise ZooError(
                f"layer {names[0]} of '{recipe.backbone}' has stride {stride}: the first layer "
                f"that a teacher learns must have stride {_CELL} or {2 * _CELL}"
            )
        mean, std = normalization(recipe.backbone, recipe.weights)
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Embed images (B, 3, H, W) in [0, 1] to (B, channels, H/stride, W/stride)."""
        layers = self.network((images - self.mean) / self.std)
        size = layers[0].shape[-2:]
        pooled = []
        for layer in layers:
            patches = F.unfold(layer, 3, padding=1).transpose(1, 2)  # (B, h*w, C*9)
            patches = F.adaptive_avg_pool1d(patches, _EMBEDDING).transpose(1, 2)
            patches = patches.unflatten(2, layer.shape[-2:])  # (B, 1024, h, w)
            pooled.append(F.interpolate(patches, size, mode="bilinear"))
        # Both layers one after the other, then averages of neighbours.
        stacked = torch.cat(pooled, dim=1).flatten(2).transpose(1, 2)
        return F.adaptive_avg_pool1d(stacked, self.channels).transpose(1, 2).unflatten(2, size)


def _distil(
    recipe: TeacherRecipe,
    source: Source,
    report: Callable[[str], None],
    device: torch.device | str,
    unfinished: Path,
) -> dict[str, Tensor]:
    with isolated_rng(keyed(recipe.seed)):
        student = patch_network(recipe.model_size, recipe.channels, padding=True).to(device)
    embed = PatchEmbedding(recipe).to(device)
    optimizer = muon(student.parameters(), recipe.learning_rate)
    begin, mean, std = _resume(unfinished, student, optimizer)
    if mean is None:
        mean, std = _statistics(recipe, source, embed, device)
    started = saved = time.perf_counter()
    for step in range(begin, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * share_of_rate(step, recipe.steps)
        seen = _batch(recipe, source, step, embed.enlargement).to(device)
        size = (recipe.image_size, recipe.image_size)
        small = F.interpolate(seen, size, mode="bilinear", antialias=True)
        loss = F.mse_loss(student(small), (embed(seen) - mean) / std)
        if not loss.isfinite():
            raise ZooError(
                f"the home-made teacher diverged at step {step + 1}: lower its learning rate"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        now, done = time.perf_counter(), step + 1 - begin
        left = duration((now - started) / done * (recipe.steps - step - 1))
        report(f"home-made teacher: step {step + 1}/{recipe.steps}, loss {loss:.3f}, {left} left")
        if now - saved > _BLOCK_SECONDS:
            saved = now
            state = {"student": student.state_dict(), "optimizer": optimizer.state_dict()}
            _write(unfinished, {**state, "step": step + 1, "mean": mean, "std": std})
    return {name: value.cpu() for name, value in student.state_dict().items()}


def _batch(recipe: TeacherRecipe, source: Source, step: int, enlargement: int) -> Tensor:
    """Return the images of a step at the backbone's size, (B, 3, S, S) in [0, 1]."""
    generator = torch.Generator().manual_seed(keyed(recipe.seed, step))
    indices = torch.randint(len(source), (recipe.batch_size,), generator=generator)
    grey = torch.rand(recipe.batch_size, generator=generator) < _GREY_SHARE
    images = torch.stack(
        [torch.from_numpy(source.image(int(i), enlargement * recipe.image_size)) for i in indices]
    )
    images = images.permute(0, 3, 1, 2).float() / 255
    weights = images.new_tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    return torch.where(grey.reshape(-1, 1, 1, 1), (images * weights).sum(1, keepdim=True), images)


@torch.no_grad()
def _statistics(
    recipe: TeacherRecipe, source: Source, embed: PatchEmbedding, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of the embedding's channels, (1, C, 1, 1) each."""
    batches = -(-_STATISTICS_IMAGES // recipe.batch_size)
    seen = (_batch(recipe, source, step, embed.enlargement) for step in range(batches))
    embedded = torch.cat([embed(images.to(device)) for images in seen])
    return (
        embedded.mean(dim=(0, 2, 3), keepdim=True),
        embedded.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-6),
    )


def _resume(
    path: Path, student: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, Tensor | None, Tensor | None]:
    """Take up an interrupted distillation, if there is one."""
    with contextlib.suppress(OSError, RuntimeError, KeyError):
        device = next(student.parameters()).device
        state = torch.load(path, map_location=device, weights_only=True)
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        return state["step"], state["mean"], state["std"]
    return 0, None, None


def _key(recipe: TeacherRecipe, source: Source, device: torch.device | str) -> str:
    """Return 16 hex digits of what decides a teacher's weights, to the last bit."""
    facts = {
        **asdict(recipe),
        "images": source.fingerprint(),
        "threads": torch.get_num_threads(),  # sums in another order, after 500 steps other weights
        "device": torch.device(device).type,
        "code": class_code(TeacherRecipe),
        "libraries": libraries(),
    }
    if (weights := expand_path(recipe.weights)).is_file():
        facts["weights"] = file_sha256(weights)
    return hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:16]


def _write(path: Path, content: Any) -> None:
    """Write a file that is complete whenever it is there."""
    with contextlib.suppress(OSError):  # costs time, not the fit
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as aside:
            torch.save(content, aside)


def muon(parameters: Iterable[nn.Parameter], rate: float) -> Muon:
    """Return Muon for weights and biases; `rate` is the share of an orthonormal step."""
    return Muon(
        parameters,
        lr=rate,
        nesterov=True,
        adjust_lr_fn="original",
        fallback_lr_scale=_BIAS_SHARE,
    )


def share_of_rate(step: int, steps: int) -> float:
    """Return the share of its rate that a step, from 0, has: a rise over five, a fall to zero."""
    return min(1.0, (step + 1) / _WARM_UP) * max(0.0, 1 - step / steps)
