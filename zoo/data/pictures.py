"""Folders of pictures as they are: finding images, naming what is left out, matching masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.file_hashes import file_digests
from zoo.data.listing import IMAGE_SUFFIXES, by_reason, files_below, notices
from zoo.utils.errors import ZooError

_VIDEO = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp"}
_FOREIGN = {".heic", ".heif", ".avif", ".webp", ".gif", ".svg", ".jp2", ".jfif", ".pgm", ".ppm"}
_FOREIGN |= {".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".npy"}
_IS_VIDEO = "video, of which ffmpeg makes pictures"
_IS_FOREIGN = "a format that is not read here; convert to PNG or JPEG"
_MASK_ENDINGS = ("_mask", "-mask", "_gt", "_label", "_ground_truth")
_SAYS_NOTHING = {"good", "ok", "normal"}


@dataclass(frozen=True)
class Pictures:
    """The images below a folder, and what lies there besides.

    Attributes:
        images: Their paths, folder by folder, in the order of their names.
        masks: `7_mask.png` beside `7.jpg` and the like: no pictures.
        videos: Files that hold pictures, but are none.
        foreign: Images in formats that are not read. (Notes and hidden files are not worth a word.)
        odd: What has the name of one of these and is no file, each with what it is.
    """

    images: list[Path]
    masks: list[Path]
    videos: list[Path]
    foreign: list[Path]
    odd: dict[Path, str]

    def unread(self) -> dict[Path, str]:
        """Return what may show something and is not read, each with the reason."""
        return {
            **dict.fromkeys(self.videos, _IS_VIDEO),
            **dict.fromkeys(self.foreign, _IS_FOREIGN),
            **self.odd,
        }

    def notices(self) -> list[str]:
        """Return one line for each kind of files that were left out."""
        return notices(
            {"masks of the pictures beside them": self.masks, **by_reason(self.unread())}
        )


def pictures(
    folder: Path | str, without: Iterable[Path | str] = (), may_be_empty: bool = False
) -> Pictures:
    """Find the images below a folder, sub-folders and links included; nothing is decoded.

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
        raise ZooError(f"no pictures at {folder}: {what}")
    listing = files_below(folder, IMAGE_SUFFIXES | _VIDEO | _FOREIGN, without)
    by_kind: dict[str, list[Path]] = {"images": [], "videos": [], "foreign": []}
    for path in listing.files:
        by_kind[_kind(path.suffix.lower())].append(path)
    names = {(path.parent, path.stem.lower()) for path in by_kind["images"]}
    masks = [path for path in by_kind["images"] if _is_mask_beside(path, names)]
    beside = set(masks)
    by_kind["images"] = [path for path in by_kind["images"] if path not in beside]
    found = Pictures(**by_kind, masks=masks, odd=listing.odd)
    if not found.images and not may_be_empty:
        endings = f"they end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        raise ZooError(f"no picture in {folder}: {'; '.join(found.notices()) or endings}")
    return found


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
    found = pictures(masks, without)
    own = {image.resolve() for image in images}  # masks may lie beside their images
    candidates = [path for path in found.images + found.masks if path.resolve() not in own]
    places, names = defaultdict(list), defaultdict(list)
    for mask in candidates:
        places[mask.parent.relative_to(masks), _plain_stem(mask)].append(mask)
    pairs = {}
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
            f"no mask in {masks} fits a picture of {folder}: {images[0].name} wants "
            f"{images[0].stem}.png or {images[0].stem}_mask.png"
        )
    return _one_to_one(pairs)


def copies(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return each file that repeats an earlier one byte by byte, and that earlier one."""
    paths = list(paths)
    digests, first = file_digests(paths), {}
    originals = {path: first.setdefault(digests[path], path) for path in paths}
    return {path: other for path, other in originals.items() if other is not path}


def without_copies(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files without those that repeat an earlier one, and a line about these, if any.

    Of two copies one would be learned from, and the other judge what was learned.
    """
    doubled = copies(paths)
    kept = [path for path in paths if path not in doubled]
    return kept, notices({"copies of other good pictures": list(doubled)})


def object_name(folder: Path | str) -> str:
    """Return the name of a folder of pictures, or of its parent where it says no more than good."""
    folder = Path(folder).expanduser().resolve()
    inner = folder.name.lower() in _SAYS_NOTHING
    return (folder.parent.name if inner else folder.name) or folder.name or "pictures"


def _kind(suffix: str) -> str:
    kinds = {"images": IMAGE_SUFFIXES, "videos": _VIDEO, "foreign": _FOREIGN}
    return next(kind for kind, suffixes in kinds.items() if suffix in suffixes)


def _is_mask_beside(path: Path, names: set[tuple[Path, str]]) -> bool:
    plain = _plain_stem(path)
    return plain != path.stem.lower() and (path.parent, plain) in names


def _plain_stem(mask: Path) -> str:
    """Return the name of the picture that a mask belongs to: `7` of `7_mask.png`, `7.jpg.png`."""
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
                "names as those of the pictures"
            )
    return {image: mask for mask, image in owners.items()}
