"""CSV files as people save them are read, or refused in one line that names the file."""

from __future__ import annotations

import pytest

from zoo.utils.csv_file import read_csv
from zoo.utils.errors import ZooError

TEXT = "object,Score,note\na,1.5,x y\n\nb,2,\n"
ROWS = [{"object": "a", "score": "1.5", "note": "x y"}, {"object": "b", "score": "2", "note": ""}]


def read(path, content: bytes):
    path = path / "people.csv"
    path.write_bytes(content)
    return read_csv(path, ("object", "score"), numbers=("score",))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_what_people_save_is_read(tmp_path, encoding, delimiter, line):
    text = TEXT.replace(",", delimiter).replace("\n", line)
    assert read(tmp_path, text.encode(encoding)) == ROWS


def test_capitals_spaces_and_quotes_do_not_matter(tmp_path):
    text = 'OBJECT ; "score";note;\r\n a;1,5;"x; y";\r\nb;-,5e3\r\n'
    rows = read(tmp_path, text.encode())
    assert [row["object"] for row in rows] == ["a", "b"]
    assert [float(row["score"]) for row in rows] == [1.5, -500.0]
    assert [row["note"] for row in rows] == ["x; y", ""]


def test_a_comma_between_cells_is_no_decimal_one(tmp_path):
    assert read(tmp_path, b'object,score\na,"1,5"\n')[0]["score"] == "1,5"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "lacks the column object, score, it has nothing"),
        (b"name,item\n", "lacks the column object, score, it has name, item"),
        (b"object,score,Object\n", "has the column 'object' twice"),
        (b"object,score\na,1,2\n", "line 2 has 3 cells, not 2"),
        ("object,score\nTür,1\n".encode("cp1252"), r"is not UTF-8 \(at byte 14\)"),
        (TEXT.encode("utf-16-le"), "is no text in UTF-8"),
        (TEXT.encode("utf-16"), r"is not UTF-8 \(at byte 0\)"),
        (b'object,score\n"a,1\n', "is no valid CSV"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_file(tmp_path, content, text):
    with pytest.raises(ZooError, match=rf"people.csv.*{text}.*: save it as CSV in UTF-8") as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ZooError, match=r"none\.csv cannot be read \(no such file"):
        read_csv(tmp_path / "none.csv", ())
