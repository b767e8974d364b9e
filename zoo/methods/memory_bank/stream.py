"""Features of any number of images in bounded memory: a uniform sample of the stream."""

from __future__ import annotations

import psutil
import torch
from torch import Tensor

from zoo.utils.errors import ZooError

MB = 1_000_000


class FeatureStream:
    """Keeps all rows that were added while they fit into a budget, and a uniform sample after that.

    Every row gets a random number once; the rows with the smallest numbers stay (bottom-k sampling:
    each row of the stream is kept with the same probability, whatever the order and the sizes of
    the batches). The memory is that of the rows that are kept, and never more than the budget.

    Args:
        budget_mb: Most memory for the rows that are kept, in MB (10**6 bytes).
        seed: Of the random numbers. The same rows in the same order give the same sample.
        dtype: Rows are stored in it; float16 and bfloat16 keep twice as many as float32.

    Attributes:
        n_seen: Rows that were added.

    Raises:
        ZooError: The budget is not positive, or is more than this machine has.
    """

    def __init__(self, budget_mb: float, seed: int = 0, dtype: torch.dtype = torch.float32) -> None:
        check_budget(budget_mb)
        self.budget_bytes = int(budget_mb * MB)
        self.dtype = dtype
        self.n_seen = 0
        self._generator = torch.Generator().manual_seed(seed)
        self._rows: Tensor | None = None  # (capacity, d); pages that hold nothing yet cost nothing
        self._keys = torch.empty(0, dtype=torch.float64)  # one per row that is kept

    def __len__(self) -> int:
        """Return the number of rows that are kept."""
        return len(self._keys)

    @property
    def is_sample(self) -> bool:
        """Whether rows had to be left out."""
        return len(self) < self.n_seen

    def add(self, features: Tensor) -> None:
        """Add rows, (n, d); they are copied to the CPU as far as they are kept.

        Raises:
            ZooError: Rows of another width than before, or not one fits into the budget.
        """
        rows = self._prepared(features.shape[1])
        keys = torch.rand(len(features), generator=self._generator, dtype=torch.float64)
        self.n_seen += len(features)
        self._keep_smallest(rows, features, keys)

    def capacity(self, width: int) -> int:
        """Return how many rows of a width fit into the budget."""
        return int(self.budget_bytes // (width * self.dtype.itemsize))

    def take(self) -> Tensor:
        """Return what is kept, (m, d) in `dtype` on the CPU, and forget it.

        Raises:
            ZooError: Nothing was added.
        """
        if len(self) == 0 or self._rows is None:
            raise ZooError("no features were added: there is no training image; check the data")
        rows = self._rows[: len(self)]
        self._rows, self._keys, self.n_seen = None, self._keys[:0], 0
        return rows

    def _keep_smallest(self, kept_rows: Tensor, features: Tensor, keys: Tensor) -> None:
        """Keep the rows with the smallest numbers, of those that are kept and those that come."""
        n_old, capacity = len(self), len(kept_rows)
        together = torch.cat([self._keys, keys])
        n_new = min(capacity, len(together))
        kept = torch.zeros(len(together), dtype=torch.bool)
        kept[together.topk(n_new, largest=False).indices] = True
        arriving = kept[n_old:].nonzero().squeeze(1)
        vacated = (~kept[:n_old]).nonzero().squeeze(1)
        places = torch.cat([vacated, torch.arange(n_old, n_new)])
        rows = features[arriving.to(features.device)]
        kept_rows[places] = rows.detach().to("cpu", self.dtype)
        self._keys = torch.cat([self._keys, keys.new_empty(n_new - n_old)])
        self._keys[places] = keys[arriving]

    def _prepared(self, width: int) -> Tensor:
        """Return the room for rows of a width, made on the first call."""
        if self._rows is None:
            if self.capacity(width) < 1:
                raise ZooError(
                    f"bank_budget_mb of {self.budget_bytes / MB:g} holds not one feature of "
                    f"{width} numbers: raise it"
                )
            self._rows = torch.empty((self.capacity(width), width), dtype=self.dtype)
        elif self._rows.shape[1] != width:
            raise ZooError(
                f"features have {width} numbers, those before had {self._rows.shape[1]}: "
                "all must come from the same layers"
            )
        return self._rows


def check_budget(budget_mb: float) -> None:
    """Raise unless a budget is positive and no more than this machine's memory."""
    if budget_mb <= 0:
        raise ZooError(f"bank_budget_mb must be positive, not {budget_mb:g}")
    total_mb = psutil.virtual_memory().total / MB
    if budget_mb > total_mb:
        raise ZooError(
            f"bank_budget_mb of {budget_mb:,.0f} is more than the {total_mb:,.0f} MB of memory "
            "here: lower it; features beyond it are sampled"
        )


def check_bank(n_entries: int, width: int, dtype: torch.dtype, budget_mb: float) -> None:
    """Raise unless a bank of (n_entries, width) fits into a budget in MB."""
    wanted_mb = n_entries * width * dtype.itemsize / MB
    if wanted_mb > budget_mb:
        raise ZooError(
            f"a memory bank of {n_entries:,} x {width} takes {wanted_mb:,.0f} MB, more than "
            f"bank_budget_mb of {budget_mb:,.0f}: ask for fewer entries or half precision, "
            "or raise the budget"
        )
