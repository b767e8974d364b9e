"""The folder of one run: its name, the hash that recognises it, and how it appears all at once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

METRICS = "metrics.json"
FAILED = "failed.json"
_ASIDE = ".unfinished"

# Where something is read from, written to or cached never changes a number.
_WITHOUT_EFFECT = {
    ("data", "init_args", "root"),
    ("data", "init_args", "cache_mb"),
    ("data", "init_args", "num_workers"),
    ("default_root_dir",),
    ("trainer", "default_root_dir"),
    ("trainer", "enable_progress_bar"),
    ("logging",),
    ("config",),
}


def run_folder(out: Path, slug: str, object_name: str, seed: int) -> Path:
    """Return `<out>/<recipe>/<object>/seed<N>`."""
    return Path(out) / slug / object_name / f"seed{seed}"


def config_hash(config: dict[str, Any], **facts: Any) -> str:
    """Return 16 hex digits of everything that decides the numbers of a run.

    Args:
        config: The full configuration; paths and settings without effect are left out.
        **facts: What else decides: object, seed, data fingerprint, versions, threads, splits.
    """
    text = json.dumps([_pruned(config, ()), facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_finished(folder: Path, wanted_hash: str) -> bool:
    """Whether the folder holds a finished run of exactly this configuration."""
    return (read_metrics(folder) or {}).get("config_hash") == wanted_hash


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """Return the metrics of a finished run, or None when there is none."""
    try:
        return json.loads((Path(folder) / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON that people can read; NaN is refused."""
    text = json.dumps(data, indent=2, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that takes the final name only when the block ends well.

    An interrupted or failed block leaves nothing behind under the final name, and an older run
    there stays until the new one is complete.
    """
    folder = Path(folder)
    aside = folder.with_name(folder.name + _ASIDE)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    aside.replace(folder)


def note_failure(folder: Path, facts: dict[str, Any]) -> None:
    """Leave the reason of a failed run where its result would be; a finished run is kept."""
    with contextlib.suppress(OSError):  # the disk may be what failed
        folder = Path(folder)
        if read_metrics(folder) is None:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / FAILED, facts)


def _pruned(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {
            key: _pruned(inner, (*path, key))
            for key, inner in value.items()
            if (*path, key) not in _WITHOUT_EFFECT
        }
    return value
