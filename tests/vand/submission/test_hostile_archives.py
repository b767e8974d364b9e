"""Archives that are made to exhaust whoever opens them: small on disk, endless when unpacked."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc

import pytest

from zoo.utils.errors import ZooError
from zoo.vand.submission.check import check
from zoo.vand.submission.reading import scan_archive

MB = 1 << 20
ZEROS = gzip.compress(bytes(64 * MB), 1)  # gzip files one after the other are one file


def header(kind: bytes, size: int, name: str = "sub/x") -> bytes:
    """Return one block of a tar, with whatever size."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def extension(kind: bytes, text: bytes) -> bytes:
    return header(kind, len(text)) + text + bytes(-len(text) % 512)


def pax(**fields: object) -> bytes:
    """Return the records of a POSIX header."""
    text = b""
    for key, value in fields.items():
        record = f" {key.replace('__', '.')}={value}\n".encode()
        n = len(record) + 1
        while len(str(n)) + len(record) != n:
            n = len(str(n)) + len(record)
        text += str(n).encode() + record
    return text


# A list of a billion holes begins with their number, and never ends.
SPARSE = pax(GNU__sparse__major=1, GNU__sparse__minor=0)
NUMBERS = b"1000000000\n" + b"9\n" * MB


@pytest.fixture
def refused(submission, tmp_path, monkeypatch):
    """Return a function that checks an archive of given parts, and returns error and bytes read."""
    read = []
    unpack = gzip.GzipFile.read

    def counting(self, size):
        data = unpack(self, size)
        read.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counting)

    def refuse(*parts: bytes, packed: bytes = b"") -> tuple[str, int]:
        path = tmp_path / "hostile.tar.gz"
        path.write_bytes(gzip.compress(b"".join(parts), 1) + packed)
        read.clear()
        tracemalloc.start()
        try:
            with pytest.raises(ZooError) as error:
                check(path, submission.expected)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 24 * MB
        assert "\n" not in str(error.value)
        return str(error.value), sum(read)

    return refuse


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    ],
)
@pytest.mark.parametrize("size", [2**31, 8 * MB, -512])
def test_a_header_of_two_gigabytes_is_not_read(refused, kind, size):
    error, n_read = refused(header(kind, size), packed=ZEROS)
    assert "headers of more than 65,536 bytes" in error
    assert n_read <= 1024


def test_headers_one_after_the_other_end(refused):
    chain = extension(tarfile.GNUTYPE_LONGNAME, b"sub/x\0") * 5000
    assert "headers of more than 65,536 bytes" in refused(chain)[0]


def test_a_million_members_are_not_counted_to_the_end(refused):
    error, n_read = refused(header(tarfile.REGTYPE, 0) * 200_000)
    assert "it holds more than 1,256 members" in error
    assert n_read < MB


def test_names_that_differ_are_not_collected_for_ever(refused):
    members = b"".join(header(tarfile.REGTYPE, 0, f"sub/{n}") for n in range(1500))
    assert "it holds more than 1,256 members" in refused(members)[0]


@pytest.mark.parametrize("size", [2**31, 2**60])
def test_a_member_of_gigabytes(refused, submission, size):
    name = f"sub/{submission.image.place('anomaly_images')}"
    for each in (name, "sub/notes.txt"):
        error, n_read = refused(header(tarfile.REGTYPE, size, each), packed=ZEROS)
        assert f"{each} claims {size:,} bytes" in error
        assert n_read <= 1024


def test_zeros_without_end(refused):
    error, n_read = refused(bytes(1024), packed=ZEROS * 8)
    assert "it unpacks to more than 67 MB" in error
    assert n_read < 80 * MB


def test_members_that_are_each_small_enough(refused):
    member = header(tarfile.REGTYPE, 30 * MB)
    packed = b"".join(gzip.compress(member + bytes(30 * MB), 1) for _ in range(4))
    assert "it unpacks to more than 67 MB" in refused(b"", packed=packed)[0]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([header(tarfile.REGTYPE, -512)], "claims -512 bytes"),  # would lead back
        ([extension(tarfile.XHDTYPE, pax(size=-512)), header(b"0", 0)], "claims -512"),
        ([extension(tarfile.XHDTYPE, pax(size="9" * 30)), header(b"0", 0)], "claims 999,"),
        ([extension(tarfile.XHDTYPE, pax(size=2**40)), header(b"0", 0)], "claims 1,099,"),
        ([extension(tarfile.XHDTYPE, b"0 path=x\n"), header(b"0", 0)], "invalid header"),
        ([extension(tarfile.XHDTYPE, pax(size="x")), header(b"0", 0), b"x" * 512], "damaged"),
        (
            [extension(tarfile.XHDTYPE, SPARSE), header(b"0", 1), NUMBERS],
            "65,536",
        ),
        ([extension(tarfile.XGLTYPE, pax(path="sub/y")), header(b"0", 0)], "the path of all"),
        ([extension(tarfile.XGLTYPE, pax(size=512)), header(b"0", 0)], "the size of all"),
        ([header(tarfile.GNUTYPE_SPARSE, 512)], "packed with holes"),
        ([extension(tarfile.XHDTYPE, pax(GNU__sparse__map="0,1")), header(b"0", 0)], "holes"),
        ([extension(b"L", b"a" * 2000), header(b"0", 0)], "a name of 2,000 letters"),
        ([extension(tarfile.XHDTYPE, pax(path="a" * 2000)), header(b"0", 0)], "of 2,000 letters"),
    ],
)
def test_headers_that_lie(refused, parts, message):
    error, _ = refused(*parts, bytes(1024))
    assert message in error


def test_long_names_of_every_form_are_read(submission, tmp_path):
    """GNU's long names, POSIX headers, dates in fractions, and what systems note besides."""
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        packed = tmp_path / f"{form}.tar.gz"
        top = "s" * 60 + "ö" * (form != tarfile.USTAR_FORMAT)
        options = {"pax_headers": {"comment": "x"}} if form == tarfile.PAX_FORMAT else {}
        with tarfile.open(packed, "w:gz", format=form, **options) as tar:
            for path in sorted(submission.folder.rglob("*.*")):
                member = tar.gettarinfo(path, f"{top}/{path.relative_to(submission.folder)}")
                member.mtime += 0.5
                tar.addfile(member, io.BytesIO(path.read_bytes()))
        assert check(packed, submission.expected) == []


def test_content_that_a_link_claims_is_not_skipped(tmp_path):
    """A hard link has a size and no content: the member behind it must be seen."""
    link = header(tarfile.LNKTYPE, 512, "sub/link")
    path = tmp_path / "links.tar.gz"
    path.write_bytes(gzip.compress(link + header(b"0", 0, "sub/seen") + bytes(1024)))
    found = []
    scanned = scan_archive(path, 10, MB, lambda place, size: False, found)
    assert [place for place, _ in scanned] == ["seen"]
    assert [finding.where for finding in found] == ["sub/link"]
