"""Tables packed with gzip or Zstandard."""

import gzip
import time

import duckdb
import pytest

from processors.tables import zstd
from tests.factories.tables import opened, refusal, rows_of

CSV = b'a,b\n1,"x\ny"\n\n2,"z ""q"" "\n'
ROWS = [(1, "x\ny"), (2, 'z "q" ')]
MAGIC = bytes.fromhex("28b52ffd")


def raw_frame(data: bytes, *, sized: bool = True, block: int = 1 << 16) -> bytes:
    """Return a frame of Zstandard that holds data unpacked."""
    blocks = [data[start : start + block] for start in range(0, len(data), block)] or [b""]
    header = b"\xa0" + len(data).to_bytes(4, "little") if sized else b"\x00\x58"
    return MAGIC + header + b"".join(
        (len(one) << 3 | (number == len(blocks))).to_bytes(3, "little") + one
        for number, one in enumerate(blocks, start=1)
    )  # fmt: skip


def packed_by_duckdb(tmp_path, select: str) -> bytes:
    path = tmp_path / "t.csv.zst"
    duckdb.sql(f"COPY ({select}) TO '{path}' (FORMAT csv, HEADER, COMPRESSION zstd)")
    return path.read_bytes()


@pytest.mark.parametrize("filename", ["t.csv.zst", "t.csv", "unnamed", "t[*].zst"])
def test_zstd_is_known_by_its_bytes(filename):
    with opened(filename, raw_frame(CSV)) as table:
        assert table.assumed.compression == "zstd"
        assert table.database.query("FROM data") == ROWS


@pytest.mark.parametrize(
    "content",
    [
        raw_frame(CSV, sized=False),
        raw_frame(CSV, block=7),
        raw_frame(CSV[:10]) + raw_frame(CSV[10:]),
        raw_frame(CSV) + bytes.fromhex("502a4d18 03000000 616263"),
        bytes.fromhex("502a4d18 04000000 c0ffee00") + raw_frame(CSV),  # as pzstd starts
        bytes.fromhex("5f2a4d18 00000000" * 2) + raw_frame(CSV),
        raw_frame(CSV.rstrip(b"\n")),
        raw_frame(b"\xef\xbb\xbf" + CSV),
    ],
)
def test_frames_of_all_kinds_are_read(content):
    assert rows_of("t.csv.zst", content) == ROWS


def test_lines_that_end_as_in_windows_are_read():
    content = CSV.replace(b"\n", b"\r\n")
    assert rows_of("t.csv.zst", raw_frame(content)) == [(1, "x\r\ny"), (2, 'z "q" ')]


def test_large_text_is_read_whole(tmp_path):
    content = packed_by_duckdb(tmp_path, "SELECT i, md5(i::VARCHAR) AS h FROM range(300000) t(i)")
    with opened("t.csv.zst", content) as table:
        assert table.database.query("SELECT count(*), sum(i) FROM data") == [(300000, 44999850000)]


def test_json_is_read_too():
    lines = b'{"a": {"b": "x"}}\n{"a": {"b": "\xc3\xa5"}}\n'
    assert rows_of("t.jsonl.zst", raw_frame(lines)) == [({"b": "x"},), ({"b": "å"},)]


@pytest.mark.parametrize(
    "content",
    [
        raw_frame(CSV)[:-5],
        raw_frame(CSV)[:8],
        MAGIC,
        raw_frame(CSV) + b"garbage",
        raw_frame(CSV) + MAGIC,
    ],
)
def test_zstd_cut_short_or_damaged_is_refused(content):
    assert refusal("t.csv.zst", content) == "the zstd file is damaged or cut short"


def test_a_packed_file_cut_anywhere_is_refused(tmp_path):
    content = packed_by_duckdb(tmp_path, "SELECT i, i * i AS j FROM range(50000) t(i)")
    for cut in (len(content) // 3, len(content) // 2, len(content) - 1):
        assert "damaged or cut short" in refusal("t.csv.zst", content[:cut])


@pytest.mark.parametrize(
    "content",
    [
        raw_frame(b"a\ncaf\xe9\n"),
        raw_frame("a\n1\n".encode("utf-16")),
        raw_frame(b"a\r\n1\n2\r\n"),
        raw_frame(raw_frame(CSV)),
        raw_frame(gzip.compress(CSV, mtime=0)),
    ],
)
def test_what_duckdb_does_not_unpack_is_refused_with_what_to_do(content):
    assert "pack it with gzip or not at all" in refusal("t.csv.zst", content)


def test_what_a_frame_says_it_holds_is_bounded():
    bomb = MAGIC + b"\xa0" + (300 << 20).to_bytes(4, "little") + b"\x03\x00\x00" + b"0"
    assert refusal("t.csv.zst", bomb) == "the zstd file holds more than 256 MiB"


def test_a_bomb_of_repeated_bytes_is_refused_at_once():
    block = (128 << 10) << 3 | 2  # one byte, repeated
    bomb = MAGIC + b"\x00\x58" + (block.to_bytes(3, "little") + b"0") * 100_000
    bomb += (block | 1).to_bytes(3, "little") + b"0"
    started = time.monotonic()
    assert "does not say how much it holds" in refusal("t.csv.zst", bomb)
    assert time.monotonic() - started < 5


def test_a_line_that_duckdb_would_leave_out_is_refused(monkeypatch):
    monkeypatch.setattr(zstd, "_BUFFER_BYTES", 3 << 20)
    content = b"a\n" + b"x" * (4 << 20)
    assert "too long" in refusal("t.csv.zst", raw_frame(content))


def test_gzip_within_gzip_is_refused():
    content = gzip.compress(gzip.compress(CSV, mtime=0), mtime=0)
    assert refusal("t.csv.gz", content) == (
        "the file is packed with gzip twice: pack it once or not at all"
    )
