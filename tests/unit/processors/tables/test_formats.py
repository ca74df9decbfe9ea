"""Formats that are read, whatever the file is called, and those that are refused in words."""

import base64
import gzip
import json
from collections.abc import Iterator

import pytest

from processors.tables import texts
from processors.tables.convert import Input as ConvertInput
from processors.tables.convert import convert_table
from processors.tables.names import numbered
from processors.tables.query import Input as QueryInput
from processors.tables.query import query_table
from tandem.testing import FakeContext
from tests.factories.tables import opened, refusal, rows_of, types_of

NESTED = (
    '{"id":1,"o":{"city":"Oslo","n":5,"tags":["x"]},"items":[{"sku":"a","q":1},{"sku":"b","q":2}]}\n'
    '{"id":2,"o":{"city":"Bergen","n":7,"tags":[]},"items":[]}\n'
)


class TestNestedJson:
    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("SELECT id FROM data WHERE o.city = 'Oslo'", [(1,)]),
            ("SELECT sum(o.n) FROM data", [(12,)]),
            ("SELECT len(o.tags) FROM data", [(1,), (0,)]),
            ("SELECT o.city || '!' FROM data", [("Oslo!",), ("Bergen!",)]),
            ("SELECT sum(i.q) FROM data, unnest(items) AS t(i)", [(3,)]),
        ],
    )
    def test_is_typed_throughout(self, sql, expected):
        with opened("t.jsonl", NESTED) as table:
            assert table.database.query(sql) == expected

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ('[1, "x"]', "JSON[]"),
            ('{"a": 1, "A": 2}', "JSON"),
            ('{"": 1}', "JSON"),
            ("{}", "JSON"),
            ("[]", "JSON[]"),
            ('{"a": "2024-01-05"}', "STRUCT(a VARCHAR)"),
            ("[[1.5], null]", "DOUBLE[][]"),
            (json.dumps({f"k{n}": n for n in range(300)}), "JSON"),
        ],
    )
    def test_falls_back_to_json_where_types_would_lose_something(self, values, expected):
        lines = f'{{"v": {values}}}\n'
        assert types_of("t.jsonl", lines) == {"v": expected}
        [(found,)] = rows_of("t.jsonl", lines)
        assert (json.loads(found) if isinstance(found, str) else found) is not None

    @pytest.mark.parametrize(
        ("depth", "column_type"),
        [(3, "JSON[][][][]"), (4, "JSON[][][][]"), (14, "JSON[][][][]")],
    )
    def test_lists_within_lists_are_written_at_any_depth(self, depth, column_type):
        value = "[" * depth + '[1,"x"]' + "]" * depth
        content = f'{{"a":{value}}}\n'.encode()
        assert types_of("t.jsonl", content) == {"a": column_type}
        context = FakeContext(uploads={"it": ("t.jsonl", content)})
        found = query_table.run(QueryInput(upload="it", sql="FROM data"), context)
        assert found.rows == [[json.loads(value)]]
        convert_table.run(ConvertInput(upload="it", to="jsonl"), context)
        assert list(context.saved.values()) == [content]

    def test_lists_of_numbers_within_lists_keep_their_type(self):
        content = '{"a":' + "[" * 8 + "1.5" + "]" * 8 + "}\n"
        assert types_of("t.jsonl", content) == {"a": "DOUBLE" + "[]" * 8}

    def test_numbers_keep_all_their_digits_however_deep_they_are(self):
        lines = (
            '{"a": 12345678901234567890123, "b": 1234567890123456.78, "c": 9007199254740993,'
            ' "d": 18446744073709551615, "e": {"f": 1234567890123456.78, "g": "1.50"}, "h": 1.5}\n'
            '{"a": 1, "b": 2, "c": 0.5, "d": -1, "e": {"f": 1, "g": "\\"2.50\\": 3"}, "h": 2}\n'
        )
        assert types_of("t.jsonl", lines) == {
            "a": "HUGEINT", "b": "DECIMAL(18,2)", "c": "DECIMAL(17,1)", "d": "HUGEINT",
            "e": "STRUCT(f VARCHAR, g VARCHAR)", "h": "DOUBLE",
        }  # fmt: skip
        [first, second] = rows_of("t.jsonl", lines)
        assert list(map(str, first[:4])) == [
            "12345678901234567890123", "1234567890123456.78", "9007199254740993.0",
            "18446744073709551615",
        ]  # fmt: skip
        assert first[4] == {"f": "1234567890123456.78", "g": "1.50"}
        assert second[4] == {"f": "1", "g": '"2.50": 3'}
        assert (first[5], second[5]) == (1.5, 2.0)

    def test_doubles_that_hold_their_digits_stay_doubles(self):
        lines = '{"v": 0.30000000000000004}\n{"v": 1e-7}\n{"v": 1e300}\n{"v": 7}\n'
        assert types_of("t.jsonl", lines) == {"v": "DOUBLE"}
        assert rows_of("t.jsonl", lines) == [(0.30000000000000004,), (1e-7,), (1e300,), (7.0,)]

    def test_nested_integers_keep_their_digits_among_doubles(self):
        lines = (
            '{"id": 1234567890123456789, "o": {"n": 12345678901234567890123}, "p": {"x": 1.5},'
            ' "q": [9007199254740993, 0.5]}\n'
        )
        assert types_of("t.jsonl", lines) == {
            "id": "BIGINT", "o": "STRUCT(n VARCHAR)", "p": "STRUCT(x DOUBLE)", "q": "VARCHAR[]",
        }  # fmt: skip
        assert rows_of("t.jsonl", lines) == [
            (
                1234567890123456789,
                {"n": "12345678901234567890123"},
                {"x": 1.5},
                ["9007199254740993", "0.5"],
            )
        ]

    def test_a_column_asked_for_as_text_leaves_the_others_as_they_are(self):
        lines = '{"zip": 2134, "m": [1, "x"], "o": {"k": 5}}\n{"zip": 1.50, "o": {"k": "y"}}\n'
        assert rows_of("t.jsonl", lines, options={"types": {"zip": "text"}}) == [
            ("2134", ["1", '"x"'], {"k": "5"}), ("1.50", None, {"k": '"y"'}),
        ]  # fmt: skip

    def test_a_mixture_keeps_all_digits_as_text(self):
        lines = '{"m": [1234567890123456.78, "x"]}\n'
        assert rows_of("t.jsonl", lines) == [(['"1234567890123456.78"', '"x"'],)]

    @pytest.mark.parametrize(
        "line",
        [
            '{"a": 1, "a": 2}',
            '{"A": 1, "a": 2, "a": 3}',
            '{"a": 1234567890123456.78, "b": 1, "b": 2}',
            '{"o": {"a": 1, "a": 2}}',
        ],
    )
    def test_a_key_that_comes_twice_is_refused(self, line):
        assert "the same key twice" in refusal("t.jsonl", line + "\n")

    def test_overflow_is_text(self):
        assert rows_of("t.jsonl", '{"v": 1.5e400}\n{"v": 1}\n') == [("1.5e400",), ("1",)]

    def test_texts_are_dates_only_where_all_are(self):
        lines = '{"d": "2024-01-05", "t": "2024-01-05", "u": "24-01-05", "z": "02134", "n": "5"}\n'
        lines += '{"d": "2023-01-05", "t": "infinity", "u": "24-02-05", "z": "1", "n": "6"}\n'
        assert types_of("t.jsonl", lines) == {
            "d": "DATE", "t": "VARCHAR", "u": "VARCHAR", "z": "VARCHAR", "n": "VARCHAR",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[\n  {"id":1,"v":2.5},\n  {"id":2,"v":3.5}\n]\n', "json"),
        ('[{"id":1,"v":2.5},{"id":2,"v":3.5}]', "json"),
        ('{\n  "id": 1,\n  "v": 2.5\n}\n{\n  "id": 2,\n  "v": 3.5\n}\n', "json"),
        ('{"id":1,"v":2.5} {"id":2,"v":3.5}', "json"),
        ('{"id":1,"v":2.5}\r\n\r\n{"id":2,"v":3.5}', "jsonl"),
        ('{"id":1,"v":2.5}\n{"id":2,"v":3.5}', "jsonl"),
        ('{"id":1,"v":2.5}\n{"id":2,\n"v":3.5}\n', "json"),
    ],
)
@pytest.mark.parametrize("filename", ["t.json", "t.jsonl", "unnamed"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_json_is_read_however_its_objects_stand(filename, content, said, start):
    with opened(filename, start + content) as table:
        assert table.assumed.format == said
        assert table.database.query("FROM data") == [(1, 2.5), (2, 3.5)]


CSV = "id,name\n1,Zoë\n2,Åsa\n"


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("content", ["имя,цена\nЖ,5\n", "a,b\nx,5\n", "名,b\n字,5\n"])
def test_utf_16_without_a_mark_is_read_in_its_own_byte_order(content, order):
    found = rows_of("t.csv", content.encode(f"utf-16-{order}"), options={"encoding": "utf-16"})
    assert found == [(content.splitlines()[1].partition(",")[0], 5)]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (CSV.encode(), "utf-8"),
        (CSV.encode("utf-8-sig"), "utf-8"),
        (CSV.encode("utf-16"), "utf-16"),
        (b"\xff\xfe" + CSV.encode("utf-16-le"), "utf-16"),
        (b"\xfe\xff" + CSV.encode("utf-16-be"), "utf-16"),
        (CSV.encode("utf-32"), "utf-32"),
        (gzip.compress(CSV.encode("utf-16"), mtime=0), "utf-16"),
    ],
)
@pytest.mark.parametrize("given", [None, "latin-1", "utf-8", "utf-16-be"])
def test_a_byte_order_mark_says_the_encoding(data, encoding, given):
    if encoding == "utf-8" and not data.startswith(b"\xef\xbb\xbf"):
        given = None
    with opened("t.csv", data, options={"encoding": given}) as table:
        assert table.assumed.encoding == encoding
        assert [one.name for one in table.columns] == ["id", "name"]
        assert table.database.query("FROM data") == [(1, "Zoë"), (2, "Åsa")]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\r\n1,x\n2,y\r\n",
        "a,b\n1,x\r\n2,y\n",
        "a,b\r1,x\n2,y\r\n",
        "a,b\r1,x\r2,y",
        "a,b\r\n1,x\r\n2,y",
        "a,b\n1,x\r\n2,y\r",
    ],
)
def test_lines_may_end_in_different_ways(content):
    assert rows_of("t.csv", content) == [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("Preis, EUR;Menge\n1,5;2\n", ["Preis, EUR", "Menge"], [("1,5", 2)]),
        ("Umsatz, EUR;Datum\n5;2024-01-05\n", ["Umsatz, EUR", "Datum"], [(5, "2024-01-05")]),
        ("a, x, y\tb\n1\t2\n", ["a, x, y", "b"], [(1, 2)]),
        ('a, x, y\tb\n"1\n,"\t2\n', ["a, x, y", "b"], [("1\n,", 2)]),
        ("a;x,b,c\n1,2,3\n", ["a;x", "b", "c"], [(1, 2, 3)]),
        ("a,b,c;d\n1,2,3;4\n", ["a", "b", "c;d"], [(1, 2, "3;4")]),
        ('"a;b;c",d\n"1;2",3\n', ["a;b;c", "d"], [("1;2", 3)]),
        ("a,b\n", ["a", "b"], []),
    ],
)
def test_the_delimiter_is_what_the_first_lines_have_in_common(content, names, rows):
    assert list(types_of("t.csv", content)) == names
    assert rows_of("t.csv", content) == rows


def test_line_ends_in_values_stay_as_they_are():
    content = 'a,b\r\n1,"x\r\ny\nz"\n2,"5"" wide\r"\r\n3,5" pipe\n'
    assert rows_of("t.csv", content) == [(1, "x\r\ny\nz"), (2, '5" wide\r'), (3, '5" pipe')]


class TestNames:
    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["id", "amount", "amount"], ["id", "amount", "amount_1"]),
            (["a", "A", "a"], ["a", "A_1", "a_2"]),
            (["a", "a", "a_1"], ["a", "a_1", "a_1_1"]),
            (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
            (["É", "é"], ["É", "é"]),
        ],
    )
    def test_that_come_twice_are_numbered(self, names, expected):
        assert numbered(names) == expected
        values = ",".join("1" for _ in names)
        assert list(types_of("t.csv", ",".join(names) + "\n" + values + "\n")) == expected

    def test_that_differ_in_case_are_numbered_in_json_as_in_csv(self):
        lines = '{"Amount": 1, "amount": 2.5, "a/b~": "x"}\n{"amount": 3}\n'
        assert types_of("t.jsonl", lines) == {
            "Amount": "BIGINT", "amount_1": "DOUBLE", "a/b~": "VARCHAR",
        }  # fmt: skip
        assert rows_of("t.jsonl", lines) == [(1, 2.5, "x"), (None, 3.0, None)]

    def test_reach_no_sql(self):
        name = "a\"b'); DROP VIEW data; --"
        quoted = '"' + name.replace('"', '""') + '"'
        assert types_of("t.csv", quoted + "\n1\n") == {name: "BIGINT"}
        assert types_of("t.jsonl", json.dumps({name: {name: 1}}) + "\n") == {
            name: f"STRUCT({quoted} BIGINT)"
        }


def _zip(name: bytes) -> bytes:
    return b"PK\x03\x04\x14" + b"\x00" * 21 + len(name).to_bytes(2, "little") + b"\x00\x00" + name


def foreign_files() -> Iterator[tuple[bytes, str]]:
    yield _zip(b"xl/workbook.xml"), "Excel"
    yield _zip(b"[Content_Types].xml") + b"..PK\x03\x04....xl/workbook.xml", "Excel"
    yield _zip(b"a.csv"), "zip archive"
    yield bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 600, "Excel"
    yield b"<!DOCTYPE html><html><body>404</body></html>", "HTML"
    yield b"\n  <html lang=en>\n", "HTML"
    yield b"\xef\xbb\xbf<HTML>", "HTML"
    yield b"<!-- saved from url=(0014)about:internet -->\r\n<html>", "HTML"
    yield b'<?xml version="1.0"?><rows/>', "XML"
    yield b"<rows>\n  <row a='1'/>", "XML"
    yield b"SQLite format 3\x00\x10\x00", "SQLite"
    yield b"Obj\x01\x04\x14avro.codec", "Avro"
    yield b"%PDF-1.7\n", "PDF"
    yield b"\n%PDF-1.7\n", "PDF"
    yield b"X\n\x00\x00\x00\x03\x00\x04", "R data"
    yield b"<stata_dta><header><release>118</release>", "Stata"
    yield b"$FL2@(#) SPSS DATA FILE", "SPSS"
    yield bytes(12) + bytes.fromhex("c2ea8160b31411cf"), "SAS"
    yield b"\x93NUMPY\x01\x00v\x00{'descr': '<i8'}", "NumPy"
    yield b"\x00\x01\x00\x00Standard ACE DB\x00", "Access"
    yield b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"
    yield b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "PNG"
    yield b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"
    yield b"GIF89a\x01\x00", "GIF"
    yield b"ORC\x0a\x03\x00\x00", "ORC"
    yield b"ARROW1\x00\x00\xff\xff\xff\xff", "Arrow"
    yield b"\xff\xff\xff\xff\x88\x00\x00\x00", "Arrow"
    yield b"7z\xbc\xaf\x27\x1c\x00\x04", "7z"
    yield b"BZh91AY&SY\x00", "bzip2"
    yield b"\xfd7zXZ\x00\x00", "xz"
    yield b"a.csv" + b"\x00" * 252 + b"ustar\x0000" + b"\x00" * 200, "tar"


@pytest.mark.parametrize(("content", "kind"), list(foreign_files()))
@pytest.mark.parametrize("filename", ["t.csv", "t.jsonl", "t.parquet", "unnamed", "t.csv.gz"])
def test_what_is_no_table_is_refused_by_its_first_bytes(filename, content, kind):
    said = refusal(filename, content)
    assert kind in said
    assert ":" in said  # what to do


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x01\x02\xff\xfe binary",
        b"\x03\x7c\x01\x05\x01\x00\x00\x00A\x00\x15\x00" + bytes(30),
        b"a,b\n1," + bytes(20),
    ],
)
def test_any_other_bytes_are_refused_too(content):
    assert "neither text nor Parquet" in refusal("t.csv", content)


def test_a_page_in_utf_16_is_no_table():
    assert "HTML" in refusal("t.csv", "<!DOCTYPE html>\n<html>".encode("utf-16"))


def test_parquet_that_is_cut_short_is_no_text(parquet):
    assert "is Parquet, and is damaged or cut short" in refusal("t.csv", parquet[:-20])
    assert "damaged" in refusal("t.parquet", parquet[:-20])


@pytest.mark.parametrize(
    "header",
    ["PK,b", "ORC,b", "BM,b", "RIFF,b", "<TICKER>,<PER>", "{x},b", "[id],[name]", "MZ,b", "PAR1,b"],
)
def test_a_csv_file_is_no_other_kind_for_the_first_letters_of_its_names(header):
    assert list(types_of("t.csv", header + "\n1,2\n").values()) == ["BIGINT", "BIGINT"]


@pytest.mark.parametrize("content", ['[{"a": 1}]', '{"a": 1}\n', "[]", '[\n {\n"a": 1}]'])
def test_json_that_is_called_csv_is_refused(content):
    assert "the file is JSON" in refusal("t.csv", content)
    assert "the file is JSON" in refusal("t", content, format="csv")


def test_parquet_is_known_by_its_bytes(parquet):
    with opened("t.csv", parquet) as table:
        assert table.assumed.format == "parquet"
    assert "does not start as Parquet does" in refusal("t.parquet", "a,b\n1,2\n")


@pytest.fixture(scope="module")
def parquet(tmp_path_factory) -> bytes:
    import duckdb

    path = tmp_path_factory.mktemp("made") / "t.parquet"
    duckdb.sql(f"COPY (SELECT 1 AS a) TO '{path}'")
    return path.read_bytes()


# Written by pyarrow, of one column each: times as INT96 with nanoseconds, and decimal256(50, 2).
INT96 = (
    "UEFSMRUEFTAVNEwVBBUAEgAAGFwVDZLuvSAAAJuKJQD//06RlE4AAIs9JQAVABUSFRYsFQYVEBUGFQYcAAAACSAC"
    "AAAAAwMBAwIVBBksNQAYBnNjaGVtYRUCABUGJQIYAXQAFgYZHBkcJgAcFQYZNQAGEBkYAXQVAhYGFoQBFowBJlgm"
    "CCksFQQVABUCABUAFRAVAgA8KQYZJgIEAAAAFoQBFgYmCBaMAQAZHBgMQVJST1c6c2NoZW1hGKABLy8vLy8zQUFB"
    "QUFRQUFBQUFBQUtBQXdBQmdBRkFBZ0FDZ0FBQUFBQkJBQU1BQUFBQ0FBSUFBQUFCQUFJQUFBQUJBQUFBQUVBQUFB"
    "VUFBQUFFQUFVQUFnQUJnQUhBQXdBQUFBUUFCQUFBQUFBQUFFS0VBQUFBQmdBQUFBRUFBQUFBQUFBQUFFQUFBQjBB"
    "QVlBQ0FBR0FBWUFBQUFBQUFNQQAYIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGRwcAAAAPAEAAFBB"
    "UjE="
)
DECIMAL_256 = (
    "UEFSMRUEFVQVOkwVBBUAEgAAKlQAAAABas6Qrf9V6zQjeZVW6JCgOhQASgEAAGQVABUSFRYsFQQVEBUGFQYcGBUA"
    "AAABas6Qrf9V6zQjeZVW6JCgOhQYFQAAAAAAAAAAAAAAAAAAAAAAAAAAZBYAKBUAAAABas6Qrf9V6zQjeZVW6JCg"
    "OhQYFQAAAAAAAAAAAAAAAAAAAAAAAAAAZBERAAAACSACAAAABAEBAwIVBBksNQAYBnNjaGVtYRUCABUOFSoVAhgB"
    "eCUKFQQVZCxcFQQVZAAAABYEGRwZHCYAHBUOGTUABhAZGAF4FQIWBBboAhbSAiZeJggcGBUAAAABas6Qrf9V6zQj"
    "eZVW6JCgOhQYFQAAAAAAAAAAAAAAAAAAAAAAAAAAZBYAKBUAAAABas6Qrf9V6zQjeZVW6JCgOhQYFQAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAZBERABksFQQVABUCABUAFRAVAgA8KQYZJgAEAAAAFugCFgQmCBbSAgAZHBgMQVJST1c6c2No"
    "ZW1hGLgBLy8vLy80QUFBQUFRQUFBQUFBQUtBQXdBQmdBRkFBZ0FDZ0FBQUFBQkJBQU1BQUFBQ0FBSUFBQUFCQUFJ"
    "QUFBQUJBQUFBQUVBQUFBVUFBQUFFQUFVQUFnQUJnQUhBQXdBQUFBUUFCQUFBQUFBQUFFSEVBQUFBQndBQUFBRUFB"
    "QUFBQUFBQUFFQUFBQjRBQW9BRUFBRUFBZ0FEQUFLQUFBQU1nQUFBQUlBQUFBQUFRQUFBQUFBQUE9PQAYIHBhcnF1"
    "ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGRwcAAAAxgEAAFBBUjE="
)

DECIMAL_39 = (  # decimal256(39, 2), without the Arrow schema
    "UEFSMRUAFS4VLiwVAhUAFQYVBhwAAAACAAAAAgEAXODppWAV/sWq36MorjmBFRUEGSw1ABgGc2NoZW1hFQIAFQ4V"
    "IhUCGAFhJQoVBBVOLFwVBBVOAAAAFgIZHBkcJgAcFQ4ZJQYAGRgBYRUAFgIWVBZUJghJHBUAFQAVAgA8KQYZJgAC"
    "AAAAFlQWAiYIFlQAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRkcHAAAAIoAAABQQVIx"
)


class TestParquetThatDuckdbWouldChange:
    def test_decimals_of_one_digit_too_many_are_refused(self):
        assert "decimals of 39 digits" in refusal("t.parquet", base64.b64decode(DECIMAL_39))

    def test_int96_is_refused_unless_its_type_is_asked_for(self):
        content = base64.b64decode(INT96)
        assert "INT96" in refusal("t.parquet", content)
        assert rows_of("t.parquet", content, options={"types": {"t": "timestamp"}})[0] == (
            "2024-01-05 10:00:00.123456",
        )

    def test_decimals_of_more_than_38_digits_are_refused_unless_their_type_is_asked_for(self):
        content = base64.b64decode(DECIMAL_256)
        assert "decimals of 50 digits" in refusal("t.parquet", content)
        assert rows_of("t.parquet", content, options={"types": {"x": "number"}})[1] == (1.0,)

    @pytest.mark.parametrize("asked", ["text", "timestamp_ns", "instant", "date"])
    def test_no_other_type_takes_int96(self, asked):
        options = {"types": {"t": asked}}
        assert "INT96" in refusal("t.parquet", base64.b64decode(INT96), options=options)

    @pytest.mark.parametrize("asked", ["text", "DECIMAL(38,2)", "hugeint"])
    def test_no_other_type_takes_decimals_of_more_than_38_digits(self, asked):
        options = {"types": {"x": asked}}
        assert "of 50 digits" in refusal(
            "t.parquet", base64.b64decode(DECIMAL_256), options=options
        )


class TestLinesAtTheEdgeOfWhatDuckDBReadsAtOnce:
    """It reads files in parts of 2 MiB, and leaves out those in which it finds no line's start."""

    @pytest.mark.parametrize("ends", ["\r\n \n", "\n \r\n", "\r \n", "\r\n \r", "\n \r"])
    @pytest.mark.parametrize("columns", ["a", "a,b"])
    def test_no_row_is_lost_where_line_ends_change(self, columns, ends):
        first, then = ends.split(" ")
        line = ("1,"[: 2 * columns.count(",")] + "y" * 98)[: 100 - len(first)] + first
        size = (2 << 20) - len(columns + first)
        last = ("2,"[: 2 * columns.count(",")] + "z" + then) * 100
        for lines in (size // 100, size // 100 + 1, size // 100 + 2):
            with opened("t.csv", columns + first + line * lines + last) as table:
                count = table.database.query("SELECT count(*) FROM data")
            assert count == [(lines + 100,)]

    @pytest.mark.parametrize("less", [3, 2, 1, 0])
    @pytest.mark.parametrize("options", [{}, {"comment": "#"}, {"encoding": "latin-1"}])
    def test_the_longest_line_is_read_whole(self, less, options):
        long = "x" * (texts.MAX_LINE_CHARACTERS - less)
        content = f"a\r\n{long}\r\nz\ny\r\n"
        with opened("t.csv", content, options=options) as table:
            lengths = table.database.query("SELECT length(a) FROM data")
        assert lengths == [(len(long),), (1,), (1,)]

    def test_a_line_that_is_longer_is_refused_and_not_cut(self):
        content = "a\n" + "x" * texts.MAX_LINE_CHARACTERS + "#y\n"
        for options in ({"comment": "#"}, {"comment": "%"}, {}):
            said = refusal("t.csv", content, options=options)
            assert said == "a line is too long (line 2)"
