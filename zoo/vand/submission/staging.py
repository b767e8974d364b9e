"""The folder in which a submission grows, and which an interrupted command goes on in.

`OUT.unfinished/` holds `state.json` and the submission's folder. `OUT` appears when all is there.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from zoo.runs.folder import UNFINISHED, write_json
from zoo.utils.atomic import ASIDE
from zoo.utils.errors import ZooError
from zoo.utils.schema import Name, Number, Text, read_json, validated
from zoo.vand.submission.sources import Affine

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
_STATE = "state.json"


@dataclass
class _State:
    """What `state.json` holds: of which submission, and the affine maps of objects so far."""

    fingerprint: Text
    affine: dict[Name, tuple[Number, Annotated[Number, Field(gt=0)]]] = field(default_factory=dict)


class StagingFolder:
    """A submission that is being written.

    Args:
        out: Its final place: a folder, or an archive by its suffix.
        fingerprint: Of everything that decides its files.

    Attributes:
        folder: Where its files go meanwhile; has the name that the archive's members begin with.
        is_resumed: Whether an interrupted command has begun it.

    Raises:
        ZooError: Something is at its final place, or another submission was begun for it.
    """

    def __init__(self, out: Path, fingerprint: str) -> None:
        self.out, self.aside = check_free(out), _aside(out)
        self.folder = self.aside / submission_name(out)
        self._state = _State(fingerprint)
        self.is_resumed = os.path.lexists(self.aside)
        if self.is_resumed:
            for path in (self.aside, *self.aside.rglob("*")):
                if path.is_symlink():
                    raise ZooError(
                        f"{path} is a link, and writing would follow it: remove {self.aside}"
                    )
            self._state = self._read(fingerprint)
            for path in self.folder.rglob(f"{ASIDE}*"):  # files that were only begun
                path.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._save()

    def affine(self, object_name: str) -> Affine | None:
        """Return the affine map that was kept for an object, if any was."""
        kept = self._state.affine.get(object_name)
        return None if kept is None else Affine(*kept)

    def keep_affine(self, object_name: str, affine: Affine) -> None:
        """Keep the affine map of an object, so that all of its images get the same one."""
        self._state.affine[object_name] = (affine.offset, affine.scale)
        self._save()

    def move_folder(self) -> None:
        """Put the finished folder at its final place."""
        self.folder.replace(check_free(self.out))
        self.remove()

    def remove(self) -> None:
        """Remove what is left aside."""
        shutil.rmtree(self.aside)

    def _read(self, fingerprint: str) -> _State:
        path = self.aside / _STATE
        try:
            state = validated(_State, read_json(path), path)
        except ZooError:
            state = _State("")
        if state.fingerprint != fingerprint:
            raise ZooError(
                f"{self.aside} holds the beginning of a submission of other runs or thresholds: "
                "remove it, or give another --out"
            )
        return state

    def _save(self) -> None:
        write_json(self.aside / _STATE, asdict(self._state))


def begun_bytes(out: Path) -> int:
    """Return the size of what an interrupted command has left aside."""
    return sum(path.stat().st_size for path in _aside(out).rglob("*") if path.is_file())


def is_archive(out: Path) -> bool:
    """Whether a place is that of an archive; else it is a folder's."""
    return out.name.endswith(ARCHIVE_SUFFIXES)


def submission_name(out: Path) -> str:
    """Return the name of a submission: its folder's, or its archive's without suffix."""
    suffix = next((suffix for suffix in ARCHIVE_SUFFIXES if out.name.endswith(suffix)), "")
    return out.name.removesuffix(suffix)


def check_free(out: Path) -> Path:
    """Return a place where nothing is yet.

    Raises:
        ZooError: Something is there, or it is the place of another kind of archive.
    """
    if os.path.lexists(out):
        raise ZooError(
            f"{out} is there already and nothing is overwritten: remove it, or give another --out; "
            f"`zoo submit --check {out}` checks whether it is complete"
        )
    if out.suffix in {".tar", ".gz", ".zip", ".bz2", ".xz", ".7z"} and not is_archive(out):
        raise ZooError(f"{out}: the server takes gzip-compressed tar; give NAME.tar.gz or a folder")
    if not submission_name(out):
        raise ZooError(f"{out}: a submission needs a name before its suffix")
    return out


def _aside(out: Path) -> Path:
    return out.with_name(out.name + UNFINISHED)
