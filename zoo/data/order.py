"""Training batches that depend on seed, epoch and index alone, and that can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Generator
from torch.utils.data import DataLoader, Dataset, Sampler

from zoo.utils.seeding import isolated_rng, keyed

_ORDER = 2**32 - 1  # stands where an index would: the order has a stream of its own


class Items(Protocol):
    """What is indexed from 0, such as a dataset of images."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class KeyedLoader(DataLoader[Any]):
    """Shuffled batches of a dataset, equal under one seed, that lightning can resume in an epoch.

    Every pass over it is one epoch. Its state counts the batches that were handed out, so that what
    workers prepared ahead is prepared again.

    Args:
        dataset: Images; indexed from 0.
        batch_size: Images per batch; the last batch of an epoch may be smaller.
        seed: Seed of the run.
        **options: Others of `DataLoader`, such as collate_fn and num_workers.
    """

    def __init__(self, dataset: Items, batch_size: int, seed: int, **options: Any) -> None:
        self.order = EpochOrder(len(dataset), batch_size, seed)
        self.handed_out = 0
        # Workers take their base seed from here, not from the generator that training draws from.
        generator = Generator().manual_seed(keyed(seed))
        super().__init__(
            KeyedItems(dataset, seed), batch_sampler=self.order, generator=generator, **options
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names a private class
        """Hand out one epoch, or what is left of it after `load_state_dict`."""
        self.handed_out = self.order.skip
        for batch in super().__iter__():
            self.handed_out += 1
            # Lightning counts batches and never asks for the one after the last.
            if self.handed_out == len(self):
                self.order.epoch, self.handed_out = self.order.epoch + 1, 0
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return how far the training is."""
        return {"epoch": self.order.epoch, "handed_out": self.handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next pass go on from there."""
        self.order.epoch, self.order.skip = state["epoch"], state["handed_out"]


class EpochOrder(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index); epoch by epoch another order."""

    def __init__(self, n_items: int, batch_size: int, seed: int) -> None:
        self.n_items, self.batch_size, self.seed = n_items, batch_size, seed
        self.epoch = 0
        self.skip = 0  # batches of the next pass that were handed out before an interruption

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield the batches of an epoch."""
        epoch, skip, self.skip = self.epoch, self.skip, 0
        generator = Generator().manual_seed(keyed(self.seed, epoch, _ORDER))
        order = torch.randperm(self.n_items, generator=generator).tolist()
        for start in range(skip * self.batch_size, self.n_items, self.batch_size):
            yield [(epoch, index) for index in order[start : start + self.batch_size]]

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return -(-self.n_items // self.batch_size)


class KeyedItems(Dataset[Any]):
    """A dataset whose items are drawn under a seed of their own."""

    def __init__(self, dataset: Items, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.dataset)

    def __getitem__(self, key: Sequence[int]) -> Any:
        """Return the item of (epoch, index)."""
        epoch, index = key
        with isolated_rng(keyed(self.seed, epoch, index)):
            return self.dataset[index]
