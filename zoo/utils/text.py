"""Escapes foreign texts, such as names in files, for terminals, spreadsheets and markdown."""

from __future__ import annotations

import unicodedata

# Letters that reverse the order of a line: what is shown is not what is there.
_BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORMULA = ("=", "+", "-", "@")


def printable(text: str) -> str:
    r"""Return a text as one line without control characters: they become escapes.

    Example:
        >>> printable("a\n\x1b[2J.png")
        'a\\n\\x1b[2J.png'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(letter) if _is_control(letter) else letter for letter in text)


def csv_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; numbers stay as they are.

    Example:
        >>> csv_cell("=1+2"), csv_cell("part"), csv_cell("-0.5")
        ("'=1+2", 'part', '-0.5')
    """
    text = printable(text)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def from_csv_cell(text: str) -> str:
    """Return the text that `csv_cell` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def markdown_cell(text: str) -> str:
    r"""Return a text as one cell of a markdown table; text between `**` stays bold.

    Example:
        >>> markdown_cell("**a|b**"), markdown_cell("<img>"), markdown_cell("[x](y)")
        ('**a\\|b**', '&lt;img&gt;', '[x]\\(y)')
    """
    if text.startswith("**") and text.endswith("**") and len(text) > 4:
        return f"**{markdown_cell(text[2:-2])}**"
    text = markdown_prose(printable(text)).replace(">", "&gt;")
    for letter in "|*`":
        text = text.replace(letter, f"\\{letter}")
    return text


def markdown_prose(text: str) -> str:
    """Return our own sentences so that names inside can make neither HTML nor links."""
    return text.replace("<", "&lt;").replace("](", "]\\(")


def _is_control(letter: str) -> bool:
    return letter in _BIDIRECTIONAL or unicodedata.category(letter) in {"Cc", "Zl", "Zp"}


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
