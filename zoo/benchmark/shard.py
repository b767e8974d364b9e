"""The split of a grid over machines that do not talk to each other: `--shard 2/4`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.runs.spec import RunSpec
from zoo.utils.errors import ZooError


@dataclass(frozen=True)
class Shard:
    """One of several parts of a plan, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/4`.

        Raises:
            ZooError: The text is something else.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        shard = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise ZooError(f"'{text}' is no shard: write 1/4 to 4/4 on the four machines")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """Return this shard's runs, in the order of the plan; all shards together are the plan."""
        return [
            spec
            for spec, number in zip(specs, _numbers(specs, self.count), strict=True)
            if number == self.number
        ]


def plan_name(specs: Sequence[RunSpec]) -> str:
    """Return 6 hex digits: machines that show the same ones split the same plan."""
    text = "\n".join(f"{spec.label} {spec.data_fingerprint}" for spec in specs)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]


def _numbers(specs: Sequence[RunSpec], count: int) -> list[int]:
    """Return the shard of every run.

    The split rests on what is the same on every machine: names, seeds and numbers of images. What
    was finished or measured here is not, so it plays no part. A run is taken to last as long as
    its object has images, and every recipe is spread evenly by itself: a shard of the slow recipe
    alone would keep all others waiting.
    """
    numbers = [0] * len(specs)
    total = [0] * count
    for recipe in dict.fromkeys(spec.recipe for spec in specs):
        mine = [0] * count
        of_recipe = [index for index, spec in enumerate(specs) if spec.recipe == recipe]
        for index in sorted(of_recipe, key=lambda each: (-specs[each].n_images, each)):
            least = min(range(count), key=lambda each: (mine[each], total[each], each))
            mine[least] += max(1, specs[index].n_images)
            total[least] += max(1, specs[index].n_images)
            numbers[index] = least + 1
    return numbers
