"""What a sealed process may read: code, weights, what the recipe names, no data set beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.benchmark.sealed.files import readable


def allowed(path: Path, paths: list[Path]) -> bool:
    return any(path.resolve().is_relative_to(each) for each in paths)


def test_files_and_folders_that_the_model_names_are_readable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("models/teacher.pth", "imagenet/train/1.png", "secret/1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")
    given = {"weights": "models/teacher.pth", "members": [{"images": "imagenet/train"}]}
    config = {"model": {"class_path": "a.B", "init_args": given}, "data": {"root": "secret"}}
    paths = readable(config, tmp_path / "recipe.yaml", [], [])
    assert allowed(Path("models/teacher.pth"), paths)
    assert allowed(Path("imagenet/train/1.png"), paths)
    assert not allowed(Path("models/other.pth"), paths)
    assert not allowed(Path("secret/1.png"), paths)


def test_of_a_source_folder_only_packages_are_readable(tmp_path, monkeypatch):
    for name in ("mine/__init__.py", "datasets/1.png", "other/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    paths = readable({}, tmp_path / "recipe.yaml", ["mine"], [])
    assert allowed(tmp_path / "mine" / "__init__.py", paths)
    assert not allowed(tmp_path / "datasets" / "1.png", paths)
    assert not allowed(tmp_path / "other" / "__init__.py", paths)
    assert allowed(Path(pytest.__file__), paths)
