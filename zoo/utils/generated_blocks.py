"""Generated blocks of documents: text between two marker lines, which is replaced as a whole."""

from __future__ import annotations

from zoo.utils.errors import ZooError


def markers(block: str) -> tuple[str, str]:
    """Return the lines that stand before and after a block, such as `<!-- zoo table: begin -->`."""
    return f"<!-- {block}: begin -->", f"<!-- {block}: end -->"


def with_block(document: str, block: str, text: str, name: str) -> str:
    """Return the document with `text` between the two marker lines of a block.

    Args:
        document: The whole text.
        block: The command that prints the block, which is its name: `zoo table`.
        text: What goes between the lines.
        name: Of the document, for the error.

    Raises:
        ZooError: The markers are not there.
    """
    begin, end = markers(block)
    head, found, rest = document.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ZooError(f"{name} has no lines '{begin}' and '{end}': add them where the text goes")
    return f"{head}{begin}\n{text}\n{end}{tail}"
