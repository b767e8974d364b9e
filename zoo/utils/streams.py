"""Standard streams that take any text: names that are no UTF-8, symbols that a console lacks."""

from __future__ import annotations

import codecs
import sys

# Our own symbols in ASCII; letters of names become escapes such as \xf6.
_PLAIN = {"·": "-", "±": "+-", "†": "+"}
_BYTES_AS_THEY_ARE, _ESCAPED = "zoo-bytes", "zoo-escaped"


def print_any_text() -> None:
    """Let no text fail to be printed, whatever encoding the streams have.

    Bytes of file names that are no text (Python keeps them as surrogates) go into files and pipes
    as they are, so that other programs find the files; terminals and standard error show escapes.
    """
    codecs.register_error(_BYTES_AS_THEY_ARE, lambda error: _replaced(error, keep_bytes=True))
    codecs.register_error(_ESCAPED, lambda error: _replaced(error, keep_bytes=False))
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):  # none without a console
            for_people = stream is sys.stderr or stream.isatty()
            reconfigure(errors=_ESCAPED if for_people else _BYTES_AS_THEY_ARE)


def _replaced(error: UnicodeError, keep_bytes: bool) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return b"".join(_encoded(letter, keep_bytes) for letter in letters), error.end


def _encoded(letter: str, keep_bytes: bool) -> bytes:
    if keep_bytes and "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xDC00])
    return _PLAIN.get(letter, letter).encode("ascii", "backslashreplace")
