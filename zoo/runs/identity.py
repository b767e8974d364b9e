"""What a run is recognised by: hashes of everything that decides its numbers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import __version__
from zoo.data.file_hashes import file_digests, folder_digest
from zoo.methods import admissibility
from zoo.methods.registry import Method, methods
from zoo.runs.code import code_facts, zoo_commit
from zoo.utils.paths import expand_path

if TYPE_CHECKING:
    from anomalib.models import AnomalibModule

    from zoo.recipes.experiment import Experiment

# Where something is read from, written to, cached or shown never changes a number.
_WITHOUT_EFFECT = {
    ("data", "init_args", "bad"),
    ("data", "init_args", "cache_mb"),
    ("data", "init_args", "good"),
    ("data", "init_args", "masks"),
    ("data", "init_args", "num_workers"),
    ("data", "init_args", "root"),
    ("data", "init_args", "test_split"),
    ("model", "init_args", "visualizer"),
    ("trainer", "default_root_dir"),
    ("trainer", "detect_anomaly"),
    ("trainer", "enable_autolog_hparams"),
    ("trainer", "enable_checkpointing"),
    ("trainer", "enable_model_summary"),
    ("trainer", "enable_progress_bar"),
    ("trainer", "limit_predict_batches"),
    ("trainer", "limit_test_batches"),
    ("trainer", "log_every_n_steps"),
    ("trainer", "logger"),
    ("trainer", "model_registry"),
    ("trainer", "profiler"),
}
# What may differ among the runs that make one row of a table: objects and seeds.
_OF_ONE_RUN = {
    ("data", "init_args", "category"),
    ("data", "init_args", "name"),
    ("data", "init_args", "seed"),
    ("seed_everything",),
}
_DATA = ("data", "init_args")  # whose folders are those of the images, which are hashed themselves
_FOLDERS = ("images", "folder", "dir", "path")  # endings of settings that name a folder


@dataclass(frozen=True)
class Identity:
    """What a run is recognised by, 16 hex digits each.

    Attributes:
        data_fingerprint: Of the object's files.
        settings_hash: Of the settings alone: equal for all objects and seeds of one recipe.
        experiment_hash: Of settings, object, seed, data and threads.
        code_hash: Of the code that makes the numbers, and of the libraries.
    """

    data_fingerprint: str
    settings_hash: str
    experiment_hash: str
    code_hash: str

    @property
    def config_hash(self) -> str:
        """Of everything that decides the numbers."""
        return _hash([self.experiment_hash, self.code_hash])

    def matches(self, metrics: Mapping[str, Any], accept_old: bool = False) -> bool:
        """Whether a run's metrics are of this very run; of other code too if that is accepted."""
        return metrics.get("config_hash") == self.config_hash or (
            accept_old and self.is_of_other_code(metrics)
        )

    def is_of_other_code(self, metrics: Mapping[str, Any]) -> bool:
        """Whether a run's metrics differ by nothing but the code that made them."""
        code_hash = metrics.get("code_hash", self.code_hash)
        same = metrics.get("config_hash") == _hash([self.experiment_hash, code_hash])
        return same and code_hash != self.code_hash


def identity(experiment: Experiment, data_fingerprint: str) -> Identity:
    """Return what the run of an experiment is recognised by.

    Raises:
        ZooError: A file that a setting names cannot be read.
    """
    import torch  # whose number of threads decides numbers; submissions compare settings without

    config = experiment.config
    facts = {
        "object": experiment.object_name,
        "seed": experiment.seed,
        "data": data_fingerprint,
        "threads": experiment.threads or torch.get_num_threads(),
    }
    return Identity(
        data_fingerprint,
        settings_hash(config),
        _hash([_with_contents(hashable_config(config)), facts]),
        _hash(code_facts(config)),
    )


def facts_of(experiment: Experiment, which: Identity, model: AnomalibModule) -> dict[str, Any]:
    """Return what stands first in `metrics.json`: which run this is, and who admits it."""
    return {
        "recipe": experiment.recipe,
        "method": method_name(type(model)),
        "object": experiment.object_name,
        "seed": experiment.seed,
        "data_fingerprint": which.data_fingerprint,
        "config_hash": which.config_hash,
        "settings_hash": which.settings_hash,
        "code_hash": which.code_hash,
        "vand4_admissible": admissible(experiment, model),
        "command": experiment.command,
        "zoo_version": __version__,
        "zoo_commit": zoo_commit(),
    }


def method_name(model_class: type) -> str:
    """Return the registered name of a class, or the class name of a stock anomalib model."""
    method = _method(model_class)
    return method.name if method else model_class.__name__


def admissible(experiment: Experiment, model: AnomalibModule) -> str:
    """Return whether VAND 4.0 admits what an experiment does with its model."""
    from zoo.methods.method import hooks_of  # needs torch, which hashes do not

    method, hooks = _method(type(model)), hooks_of(model)
    return admissibility.admissible(
        method.card if method else None,
        dict(experiment.model),
        hooks.transductive,
        experiment.ckpt_path,
        hooks.outside_images,
        data=dict(experiment.data),
        trainer=experiment.trainer,
    )


def _method(model_class: type) -> Method | None:
    found = (method for method in methods().values() if method.class_name == model_class.__name__)
    return next(found, None)


def settings_hash(config: dict[str, Any]) -> str:
    """Return 16 hex digits of the settings alone: equal for all objects and seeds of one recipe.

    Args:
        config: The full configuration.

    Raises:
        ZooError: A file that a setting names cannot be read.
    """
    return _hash(_with_contents(_without(hashable_config(config), _OF_ONE_RUN)))


def hashable_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return what of a full configuration can change a number."""
    return _without(config, _WITHOUT_EFFECT)


def _hash(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _without(value: Any, paths: set[tuple[str, ...]], here: tuple[str, ...] = ()) -> Any:
    """Return nested data without what stands at some paths of keys."""
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in value.items() if (*here, key) not in paths}
    return {key: _without(inner, paths, (*here, key)) for key, inner in kept.items()}


def _with_contents(value: Any, here: tuple[str, ...] = ()) -> Any:
    """Return nested data with the hash of its content in the place of every path."""
    if isinstance(value, dict):
        return {key: _with_contents(inner, (*here, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_contents(inner, here) for inner in value]
    if isinstance(value, str | os.PathLike) and here[:-1] != _DATA:
        return _content(value, here[-1]) or str(value)
    return value


def _content(text: str | os.PathLike[str], key: str) -> str | None:
    """Return the hash of the file or folder that a setting names, or None if it names none."""
    path = expand_path(str(text))
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):  # a text that cannot be a path
        return None
    if is_file:
        return file_digests([path])[path]
    # A bare word such as `normal` may be the name of an unrelated folder.
    is_meant = len(path.parts) > 1 or key.endswith(_FOLDERS)
    return folder_digest(path) if is_folder and is_meant else None
