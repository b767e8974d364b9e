"""What the benchmark server answered, as a small CSV: `split,object,SegF1,AucPro_0.05,ClassF1`.

It lies as `server.csv` in the folder of a recipe, beside its objects. ClassF1 is the server's own
figure: it is never computed here, and has no column beside ours.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from zoo.data.splits import PRIVATE_SPLITS
from zoo.results.published import object_names
from zoo.utils.csv_file import read_csv
from zoo.utils.errors import ZooError, nearest

SERVER_FILE = "server.csv"
METRICS = ("SegF1", "AucPro_0.05", "ClassF1")
_COLUMNS = ("split", "object", *METRICS)
_MEND = f"save what the server said as CSV in UTF-8, {','.join(_COLUMNS)}"
_SPLITS = {name: split for split in PRIVATE_SPLITS for name in (split, split[len("test_") :])}


def read_server(path: Path, objects: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return the server's numbers, one row per split and object, as fractions.

    Args:
        path: The CSV. Splits may be written with or without `test_`; rows of the object `mean` are
            left out, since means are computed here. Values all at most 1 are taken as fractions,
            others as percentages.
        objects: What must be there; by default all objects of the benchmark.

    Raises:
        ZooError: No such file or no CSV, other columns, a number out of range, or a split or object
            that is unknown, missing or there twice.
    """
    path = Path(path)
    rows = read_csv(path, _COLUMNS, numbers=METRICS, mend=_MEND)
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    frame["split"] = [_split(path, name) for name in frame["split"]]
    frame = frame[frame["object"] != "mean"]
    _check_rows(path, frame, objects or object_names())
    return _fractions(path, frame).sort_values(["split", "object"], ignore_index=True)


def _split(path: Path, name: str) -> str:
    if name not in _SPLITS:
        raise ZooError(f"server file {path}: unknown split '{name}'{nearest(name, _SPLITS)}")
    return _SPLITS[name]


def _check_rows(path: Path, frame: pd.DataFrame, objects: tuple[str, ...]) -> None:
    for name in frame["object"]:
        if name not in objects:
            raise ZooError(f"server file {path}: foreign object '{name}'{nearest(name, objects)}")
    if frame.duplicated(["split", "object"]).any():
        twice = frame[frame.duplicated(["split", "object"])].iloc[0]
        raise ZooError(f"server file {path} has {twice['object']} of {twice['split']} twice")
    found = set(zip(frame["split"], frame["object"], strict=True))
    lacking = [f"{o} of {s}" for s in PRIVATE_SPLITS for o in objects if (s, o) not in found]
    if lacking:
        more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
        raise ZooError(
            f"server file {path} lacks {', '.join(lacking[:4])}{more}: a mean needs every object; "
            "copy all rows from the server"
        )


def _fractions(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    for name in METRICS:
        try:
            frame[name] = frame[name].replace("", "nan").astype(float)
        except ValueError as error:
            raise ZooError(f"server file {path}: {name} holds no number ({error})") from error
    needed = frame[["SegF1", "AucPro_0.05"]]
    if needed.isna().any(axis=None):
        raise ZooError(f"server file {path}: a value is missing; copy it from the server")
    values = frame[list(METRICS)]
    if (values < 0).any(axis=None) or (values > 100).any(axis=None):
        raise ZooError(f"server file {path}: values must lie in 0..1 or in 0..100")
    if values.max(axis=None) > 1:
        frame[list(METRICS)] = values / 100
    return frame
