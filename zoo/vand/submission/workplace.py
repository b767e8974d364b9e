"""The folder aside in which a submission grows, and who may go on in it.

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
from zoo.utils.errors import ZooError
from zoo.utils.schema import Name, Number, Text, read_json, validated
from zoo.vand.submission.affine import Affine
from zoo.vand.submission.pair import remove_begun

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
        fingerprint: Of all that decides its files.

    Attributes:
        out: Its final place.
        folder: Where its files go meanwhile; has the name that the archive's members begin with.
        is_resumed: Whether an interrupted command has begun it.

    Raises:
        ZooError: Something is at its final place, or another submission was begun for it.
    """

    def __init__(self, out: Path, fingerprint: str) -> None:
        self.out = check_free(out)
        self.aside = _aside(out)
        self.folder = self.aside / submission_name(out)
        self._state = _State(fingerprint)
        self.is_resumed = os.path.lexists(self.aside)
        if self.is_resumed:
            self._check_no_link()
            self._state = self._read(fingerprint)
            remove_begun(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._save()

    def affine(self, object_name: str) -> Affine | None:
        """Return the affine map that was noted for an object, if any was."""
        noted = self._state.affine.get(object_name)
        return None if noted is None else Affine(*noted)

    def note_affine(self, object_name: str, affine: Affine) -> None:
        """Keep the affine map of an object, so that all of its images get the same one."""
        self._state.affine[object_name] = (affine.offset, affine.scale)
        self._save()

    def give_folder(self) -> None:
        """Put the finished folder at its final place."""
        self.folder.replace(check_free(self.out))
        self.remove()

    def remove(self) -> None:
        """Remove what is aside."""
        shutil.rmtree(self.aside)

    def _check_no_link(self) -> None:
        """Raise where writing would lead out of the folder aside."""
        for path in (self.aside, *self.aside.rglob("*")):
            if path.is_symlink():
                raise ZooError(
                    f"{path} is a link, and writing would follow it: remove {self.aside}"
                )

    def _read(self, fingerprint: str) -> _State:
        try:
            place = self.aside / _STATE
            state = validated(_State, read_json(place), place)
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
    suffix = next((each for each in ARCHIVE_SUFFIXES if out.name.endswith(each)), "")
    return out.name.removesuffix(suffix)


def check_free(out: Path) -> Path:
    """Return a place where nothing is yet.

    Raises:
        ZooError: Something is there, or it is the place of another kind of archive.
    """
    if os.path.lexists(out):
        raise ZooError(
            f"{out} is there already and nothing is overwritten: remove it, or give another --out; "
            f"`zoo submit --check {out}` says whether it is complete"
        )
    if out.suffix in {".tar", ".gz", ".zip", ".bz2", ".xz", ".7z"} and not is_archive(out):
        raise ZooError(f"{out}: the server takes gzip-compressed tar; give NAME.tar.gz or a folder")
    if not submission_name(out):
        raise ZooError(f"{out}: a submission needs a name before its suffix")
    return out


def _aside(out: Path) -> Path:
    return out.with_name(out.name + UNFINISHED)
