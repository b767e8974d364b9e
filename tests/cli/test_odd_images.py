"""`zoo predict` over a folder of odd files: what can be read is predicted, all else is named."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from zoo.predict import Predictor, TorchPredictor
from zoo.predict.sources import BLOBS, LINES, Sources
from zoo.predict.writer import PredictionWriter

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
LONG = "n" * 246
START = "from zoo.cli import main; raise SystemExit(main())"


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG whose header claims a size, whatever its data holds."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def links_to(target: str) -> Callable[[str], object]:
    return lambda path: Path(path).symlink_to(target)


def readable(pixels: np.ndarray) -> dict[bytes, Callable[[str], object]]:
    """Return what writes each image that can be predicted, by its name."""
    colour, grey = Image.fromarray(pixels), Image.fromarray(pixels[..., 0])
    deep = pixels.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    with_alpha = colour.copy()
    with_alpha.putalpha(grey)
    return {
        b"grey8.png": grey.save,
        b"colour8.png": colour.save,
        b"grey16.png": lambda path: cv2.imwrite(path, deep[..., 0]),
        b"colour16.png": lambda path: cv2.imwrite(path, deep),
        b"palette.png": colour.quantize(16).save,
        b"rgba.png": with_alpha.save,
        b"la.png": with_alpha.convert("LA").save,
        b"one_bit.png": grey.convert("1").save,
        b"baseline.jpg": colour.save,
        b"progressive.jpg": lambda path: colour.save(path, progressive=True),
        b"cmyk.jpeg": colour.convert("CMYK").save,
        b"turned.JPG": lambda path: colour.save(path, exif=exif),
        b"plain.bmp": colour.save,
        b"lzw.tif": lambda path: colour.save(path, compression="tiff_lzw"),
        b"one_bit.tiff": grey.convert("1").save,
        b"tiled.tif": lambda path: tifffile.imwrite(path, pixels, tile=(16, 16)),
        b"1x1.png": Image.new("RGB", (1, 1), (90, 90, 90)).save,
        b"1x5000.png": Image.new("L", (1, 5000), 90).save,
        b"line\nend.png": colour.save,
        b"escape\x1b[2J.png": colour.save,
        b"no text \xff.png": colour.save,
        "emoji \U0001f642 ö.png".encode(): colour.save,
        f"{LONG}.png".encode(): colour.save,
        f"{LONG}.jpg".encode(): colour.save,
        b"twin.png": colour.save,
        b"twin.jpg": colour.save,
        b"~7.png": colour.save,
        b"two  spaces .png": colour.save,
        b"-h.png": colour.save,
        b"link.png": links_to("colour8.png"),
    }


def unreadable(pixels: np.ndarray) -> dict[bytes, Callable[[str], object]]:
    """Return what writes each thing that cannot be predicted, by its name."""
    colour = Image.fromarray(pixels)

    def holds(data: bytes) -> Callable[[str], object]:
        return lambda path: Path(path).write_bytes(data)

    def listens(path: str) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)

    return {
        b"truncated.png": lambda path: (colour.save(path), os.truncate(path, 200)),
        b"truncated.jpg": lambda path: (colour.save(path), os.truncate(path, 400)),
        b"empty.png": holds(b""),
        b"text.png": holds(b"no image at all\n"),
        b"postscript.png": holds(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
        b"float.tif": lambda path: tifffile.imwrite(path, pixels[..., 0].astype(np.float32)),
        b"pages.tif": lambda path: colour.save(path, save_all=True, append_images=[colour]),
        b"no_pixels.png": holds(png(0, 0)),
        b"claims.png": holds(png(60_000, 60_000)),
        b"pipe.png": os.mkfifo,
        b"talk.png": listens,
        b"gone.png": links_to("nothing.png"),
        b"circle.png": links_to("circle.png"),
        b"folder.png": os.mkdir,
        b"phone.heic": holds(b"\0\0\0\x18ftypheic"),
        b"moving.gif": colour.save,
        b"web.webp": colour.save,
        b"film.mp4": holds(b"\0\0\0\x18ftypmp42"),
    }


def left_out() -> dict[bytes, bytes]:
    """Return what is nobody's image, by its name."""
    return {b"._colour8.png": b"\0\5\x16\7", b".DS_Store": b"x", b"notes.txt": b"x"}


@pytest.fixture
def shots(tmp_path, texture, monkeypatch) -> Path:
    """Return the folder; names are bytes, as the disk has them."""
    folder = tmp_path / "shots"
    folder.mkdir()
    pixels = texture(3)
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        for name, write in {**readable(pixels), **unreadable(pixels)}.items():
            write(os.fsdecode(name))
        for name, data in left_out().items():
            Path(os.fsdecode(name)).write_bytes(data)
    if os.geteuid():
        (folder / "closed.png").write_bytes(png(1, 1))
        (folder / "closed.png").chmod(0)
    return folder


@pytest.fixture(scope="module")
def detector(fitted) -> Predictor:
    return TorchPredictor(fitted.model.eval(), fitted.model.post_processor.calibration)


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_every_readable_image_is_predicted_and_every_other_named(graph, shots, tmp_path, capsys):
    from zoo.cli import main

    out = tmp_path / "out"
    assert main(["predict", str(graph(".onnx")), str(shots), "--out", str(out)]) == 1
    printed, said = capsys.readouterr()
    lines = records(printed)
    assert lines == records((out / LINES).read_text())
    predicted = {line["path"]: line for line in lines if "mask" in line}
    errors = {line["path"]: line["error"] for line in lines if "error" in line}

    def paths(names) -> set[str]:
        return {os.fsdecode(os.fsencode(shots) + b"/" + name) for name in names}

    closed = {str(shots / "closed.png")} & set(errors)
    assert len(lines) == len(predicted) + len(errors) == len(set(predicted) | set(errors)) >= 40
    assert set(predicted) == paths(readable(np.zeros((2, 2, 3), np.uint8)))
    assert set(errors) - closed == paths(unreadable(np.zeros((2, 2, 3), np.uint8)))
    assert all(reason and "\n" not in reason for reason in errors.values())
    assert "failed" in said

    # Every result is a file of its own, as large as its image.
    for key in ("mask", "overlay"):
        results = {line[key] for line in predicted.values()}
        assert len(results) == len(predicted)
        for line in predicted.values():
            with Image.open(out / line[key]) as image:
                if key == "mask":
                    assert image.size == (line["width"], line["height"])
    assert b"no text \xff.png" in (out / BLOBS).read_bytes() or not any(
        line["blobs"] for path, line in predicted.items() if "\udcff" in path
    )
    assert not [path for path in out.rglob("*") if path.is_file() and not path.stat().st_size]
    assert "\x1b" not in said


@pytest.mark.parametrize("encoding", ["ascii", "cp932"])
def test_no_name_ends_the_command_whatever_the_console(encoding, tmp_path):
    """The streams of a real process; no model is needed to name what cannot be read."""
    os.mkfifo(os.fsdecode(os.fsencode(tmp_path) + b"/no text \xff.png"))
    (tmp_path / "ö · \U0001f642.heic").touch()
    graph = tmp_path / "none.onnx"
    done = subprocess.run(
        [sys.executable, "-c", START, "predict", str(graph), str(tmp_path)],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"zoo: ")
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_one_result_that_cannot_be_written_is_that_images_error(
    detector, tmp_path, texture, write_image, capsys
):
    from zoo.utils.atomic import RecordFile

    shots, out = tmp_path / "shots", tmp_path / "out"
    paths = [write_image(shots / f"{index}.png", texture(index)) for index in range(3)]
    (out / "masks" / "1.png").mkdir(parents=True)  # in the way of that result
    with RecordFile(out / LINES) as lines, RecordFile(out / BLOBS) as table:
        writer = PredictionWriter(detector, Sources([shots], out), out, lines, table)
        writer.run(paths)
    written = records((out / LINES).read_text())
    assert [Path(line["path"]).name for line in written] == ["0.png", "1.png", "2.png"]
    assert ["error" in line for line in written] == [False, True, False]
    assert str(out / "masks" / "1.png") in written[1]["error"]
    assert (writer.n_images, writer.n_failed) == (2, 1)


def test_a_full_disk_ends_the_command_and_leaves_no_empty_file(
    graph, tmp_path, texture, write_image, monkeypatch, capsys
):
    from zoo.cli import main

    path = str(graph(".onnx"))
    shots, out = tmp_path / "shots", tmp_path / "out"
    for index in range(3):
        write_image(shots / f"{index}.png", texture(index))
    real, n_written = Path.write_bytes, []

    def full(self, data):
        if len(n_written) == 3:  # the overlay of the second image
            self.open("wb").close()
            raise OSError(28, "No space left on device")
        n_written.append(self)
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["predict", path, str(shots), "--out", str(out)]) == 1
    printed, said = capsys.readouterr()
    assert len(records(printed)) >= 1
    [line] = [line for line in said.splitlines() if line.startswith("zoo: ")]
    assert line.startswith("zoo: no space left for ")
    assert "free some and repeat the command" in line
    files = [path for path in out.rglob("*") if path.is_file()]
    assert files
    assert all(path.stat().st_size for path in files)


def test_an_image_overwritten_at_equal_size_and_time_is_judged_again(
    tmp_path, texture, write_image, monkeypatch
):
    from zoo.predict import sources

    shots = tmp_path / "shots"
    path = write_image(shots / "1.bmp", texture(1))
    before = path.stat()

    def overwrite() -> None:
        write_image(path, texture(2))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (
            before.st_size,
            before.st_mtime_ns,
        )

    steps = iter([lambda: None, lambda: None, overwrite, lambda: None])
    monkeypatch.setattr(sources.time, "sleep", lambda seconds: next(steps)())
    looks = Sources([shots], tmp_path / "out").new_images(1.0)
    assert [len(next(looks)) for _ in range(5)] == [0, 1, 0, 0, 1]


def test_what_cannot_be_judged_is_named_once_while_watching(tmp_path, texture, write_image):
    shots = tmp_path / "shots"
    write_image(shots / "1.png", texture(1))
    sources = Sources([shots], tmp_path / "out")
    os.mkfifo(shots / "pipe.png")
    sources.images(may_be_empty=True)
    assert sources.unreadable == {shots / "pipe.png": "a named pipe"}
    (shots / "1.png").unlink()
    assert sources.images(may_be_empty=True) == []
    assert sources.unreadable == {shots / "pipe.png": "a named pipe"}
