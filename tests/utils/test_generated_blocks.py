"""Blocks between marker lines."""

import pytest

from zoo.utils.errors import ZooError
from zoo.utils.markdown import markers, with_block


def test_a_block_goes_between_its_markers_and_others_stay():
    begin, end = markers("zoo table")
    other = "\n".join(markers("zoo card"))
    document = f"head\n{other}\n{begin}\nold\n{end}\ntail"
    changed = f"head\n{other}\n{begin}\nnew\n{end}\ntail"
    assert with_block(document, "zoo table", "new", "x.md") == changed
    assert with_block(changed, "zoo table", "new", "x.md") == changed


@pytest.mark.parametrize("document", ["", markers("zoo table")[0], "\n".join(markers("zoo card"))])
def test_missing_markers_are_named(document):
    with pytest.raises(ZooError, match=r"x\.md has no lines '<!-- zoo table: begin -->'"):
        with_block(document, "zoo table", "new", "x.md")
