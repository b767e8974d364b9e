"""Which images lie below a folder, what is left out and why, and which mask belongs to which."""

from __future__ import annotations

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.file_hashes import file_digests
from zoo.utils.errors import ZooError
from zoo.utils.text import printable

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
_VIDEO = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp"}
_FOREIGN = {".heic", ".heif", ".avif", ".webp", ".gif", ".svg", ".jp2", ".jfif", ".pgm", ".ppm"}
_FOREIGN |= {".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".npy"}
_MASK_ENDINGS = ("_mask", "-mask", "_gt", "_label", "_ground_truth")
_NORMAL_NAMES = {"good", "ok", "normal"}  # of folders, which do not name an object
_FEW = 3  # names in a line
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}  # hidden without a dot
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, in a fixed order.

    Attributes:
        files: Files and links to files.
        odd: What has a place there and cannot be opened as a file, each with what it is.
    """

    files: list[Path] = field(default_factory=list)
    odd: dict[Path, str] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        """Take a path up, where it belongs."""
        if reason := why_no_file(path):
            self.odd[path] = reason
        else:
            self.files.append(path)


def is_hidden(name: str) -> bool:
    """Whether a file is none of a person's: `.DS_Store`, `._7.png`, `Thumbs.db` and the like."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def why_no_file(path: Path) -> str | None:
    """Return what stands in the place of a file, such as "a named pipe", or None for a file.

    Nothing is opened: to open a named pipe is to wait for whoever writes into it.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - links are followed, and errors keep a number
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads in a circle"
        if path.is_symlink():
            return "a link that leads nowhere"
        return (error.strerror or str(error)).lower()
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


def files_in(folder: Path) -> Listing:
    """List the images in a folder itself; none if there is no folder."""
    listing = Listing()
    if folder.is_dir():
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names, to sort them as text
            path = folder / name
            if not is_hidden(name) and path.suffix.lower() in IMAGE_SUFFIXES:
                listing.add(path)
    return listing


def files_below(
    folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES, without: Iterable[Path | str] = ()
) -> Listing:
    """List the files with certain suffixes below a folder, sub-folders and links included.

    Args:
        folder: Where to look; a link that leads back, or to a folder seen before, ends there.
        suffixes: In lower case.
        without: Folders below it whose files do not count.
    """
    listing, endings = Listing(), set(suffixes)

    def unreadable(error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        listing.odd[Path(error.filename)] = f"a folder that cannot be read ({reason})"

    seen = {os.path.realpath(Path(path).expanduser()) for path in without}
    seen.discard(os.path.realpath(folder))
    for here, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        real = os.path.realpath(here)
        if real in seen:  # one that does not count, or a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if not folders and not names and Path(here).suffix.lower() in endings:
            listing.odd[Path(here)] = "an empty folder"
        for name in sorted(name for name in names if not is_hidden(name)):
            path = Path(here, name)
            if path.suffix.lower() in endings:
                listing.add(path)
            # What leads nowhere may have led to a folder of images.
            elif not path.suffix and path.is_symlink() and (reason := why_no_file(path)):
                listing.odd[path] = reason
    return listing


def notices(kinds: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return one line for each reason why files are left out."""
    return [f"left out {few(paths)}: {reason}" for reason, paths in kinds.items() if paths]


def by_reason(reasons: dict[Path, str]) -> dict[str, list[Path]]:
    """Return the paths of each reason."""
    paths: dict[str, list[Path]] = {}
    for path, reason in reasons.items():
        paths.setdefault(reason, []).append(path)
    return paths


def few(paths: Sequence[Path]) -> str:
    """Return the names of a few files and how many more there are."""
    names = ", ".join(printable(path.name) for path in paths[:_FEW])
    return f"{names} and {len(paths) - _FEW} more" if len(paths) > _FEW else names


@dataclass(frozen=True)
class FolderImages:
    """The images below a folder, and what lies there besides.

    Attributes:
        images: Their paths, folder by folder, in the order of their names.
        masks: `7_mask.png` beside `7.jpg` and the like: no images to score.
        unread: What may show something and is not read, each with the reason.
    """

    images: list[Path]
    masks: list[Path]
    unread: dict[Path, str]

    def notices(self) -> list[str]:
        """Return one line for each kind of files that were left out."""
        kinds = {"masks of the images beside them": self.masks}
        return notices(kinds | by_reason(self.unread))


def find_images(
    folder: Path | str, without: Iterable[Path | str] = (), may_be_empty: bool = False
) -> FolderImages:
    """Find the images below a folder, sub-folders and links included.

    Args:
        folder: Where to look.
        without: Folders below it whose files do not count, such as that of the masks.
        may_be_empty: Images are still to come, so that a folder without any is no mistake.

    Raises:
        ZooError: There is no such folder, or no image in it.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "a file, not a folder" if folder.exists() else "no such folder"
        raise ZooError(f"no images at {folder}: {what}")
    listing = files_below(folder, IMAGE_SUFFIXES | _VIDEO | _FOREIGN, without)
    by_kind: dict[str, list[Path]] = {"image": [], "video": [], "foreign": []}
    for path in listing.files:
        suffix = path.suffix.lower()
        kind = "video" if suffix in _VIDEO else "foreign" if suffix in _FOREIGN else "image"
        by_kind[kind].append(path)
    names = {(path.parent, path.stem.lower()) for path in by_kind["image"]}
    masks = [path for path in by_kind["image"] if _is_mask_beside(path, names)]
    beside = set(masks)
    listed = FolderImages(
        images=[path for path in by_kind["image"] if path not in beside],
        masks=masks,
        unread={
            **dict.fromkeys(by_kind["video"], "video, of which ffmpeg makes images"),
            **dict.fromkeys(
                by_kind["foreign"], "a format that is not read here; convert to PNG or JPEG"
            ),
            **listing.odd,
        },
    )
    if not listed.images and not may_be_empty:
        endings = f"they end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        raise ZooError(f"no image in {folder}: {'; '.join(listed.notices()) or endings}")
    return listed


def match_masks(
    images: Sequence[Path], folder: Path, masks: Path | str, without: Iterable[Path | str] = ()
) -> dict[Path, Path]:
    """Return the mask of each image that has one: same place below the folder, or same name.

    The mask of `a/7.jpg` may be `a/7.png`, `7.png`, `7_mask.png`, `7.jpg.png` or the like.

    Args:
        images: What the masks mark.
        folder: Where the images lie.
        masks: Where the masks lie; it may be the same folder.
        without: Folders below that one whose files are no masks.

    Raises:
        ZooError: No image has a mask, two masks fit one image, or one mask two images.
    """
    folder, masks = Path(folder).expanduser(), Path(masks).expanduser()
    listed = find_images(masks, without)
    own = {image.resolve() for image in images}  # masks may lie beside their images
    candidates = [path for path in listed.images + listed.masks if path.resolve() not in own]
    places: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    names: dict[str, list[Path]] = defaultdict(list)
    for mask in candidates:
        places[mask.parent.relative_to(masks), _plain_stem(mask)].append(mask)
    pairs: dict[Path, list[Path]] = {}
    for image in images:
        place = (image.parent.relative_to(folder), image.stem.lower())
        if place in places:
            pairs[image] = places[place]
    # A mask that lies where its image does belongs to no other image of that name.
    taken = {mask for fitting in pairs.values() for mask in fitting}
    for mask in candidates:
        if mask not in taken:
            names[_plain_stem(mask)].append(mask)
    for image in images:
        if image not in pairs and image.stem.lower() in names:
            pairs[image] = names[image.stem.lower()]
    if not pairs:
        raise ZooError(
            f"no mask in {masks} fits an image of {folder}: {images[0].name} wants "
            f"{images[0].stem}.png or {images[0].stem}_mask.png"
        )
    return _one_to_one(pairs)


def copies(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return each file that repeats an earlier one byte by byte, and that earlier one."""
    paths = list(paths)
    digests, first = file_digests(paths), dict[str, Path]()
    originals = {path: first.setdefault(digests[path], path) for path in paths}
    return {path: other for path, other in originals.items() if other is not path}


def without_copies(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files without those that repeat an earlier one, and a line about these, if any.

    Of two copies one would be learned from, and the other would test what was learned.
    """
    doubled = copies(paths)
    kept = [path for path in paths if path not in doubled]
    return kept, notices({"copies of other normal images": list(doubled)})


def object_name(folder: Path | str) -> str:
    """Return the name of a folder of images, or of its parent where it is `good` or the like."""
    folder = Path(folder).expanduser().resolve()
    inner = folder.name.lower() in _NORMAL_NAMES
    return (folder.parent.name if inner else folder.name) or folder.name or "images"


def _is_mask_beside(path: Path, names: set[tuple[Path, str]]) -> bool:
    plain = _plain_stem(path)
    return plain != path.stem.lower() and (path.parent, plain) in names


def _plain_stem(mask: Path) -> str:
    """Return the name of the image that a mask belongs to: `7` of `7_mask.png`, `7.jpg.png`."""
    stem = mask.stem.lower()
    for ending in (*_MASK_ENDINGS, *IMAGE_SUFFIXES):
        stem = stem.removesuffix(ending)
    return stem


def _one_to_one(pairs: dict[Path, list[Path]]) -> dict[Path, Path]:
    owners: dict[Path, Path] = {}
    for image, fitting in pairs.items():
        if len(fitting) > 1:
            names = " and ".join(str(path) for path in sorted(fitting)[:2])
            raise ZooError(f"two masks fit {image}: {names}; keep one")
        owner = owners.setdefault(fitting[0], image)
        if owner != image:
            raise ZooError(
                f"mask {fitting[0]} fits {owner} and {image}: lay masks in sub-folders of the same "
                "names as those of the images"
            )
    return {image: mask for mask, image in owners.items()}
