"""What `convert-table` makes of tables."""

import csv
import json
import time
from io import StringIO

import duckdb
import pytest
from pydantic import ValidationError

from processors.tables import database
from processors.tables.convert import Input, Output, convert_table
from tandem.processing import Permanent
from tandem.processing.context import Abandoned
from tandem.testing import FakeContext


def converted(to: str, filename: str, content: bytes) -> tuple[Output, bytes]:
    context = FakeContext(uploads={"it": (filename, content)})
    output = convert_table.run(Input(upload="it", to=to), context)
    [data] = context.saved.values()
    return output, data


def convert(to: str, filename: str, content: bytes) -> bytes:
    return converted(to, filename, content)[1]


def convert_rows(to: str, rows: list[dict]) -> bytes:
    context = FakeContext()
    convert_table.run(Input(rows=rows, to=to), context)
    [data] = context.saved.values()
    return data


@pytest.fixture
def parquet(tmp_path):
    def make(select: str) -> bytes:
        path = tmp_path / "made.parquet"
        duckdb.sql(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()

    return make


@pytest.fixture
def read_parquet(tmp_path):
    def read(content: bytes, sql: str = "FROM '{}'") -> list[tuple]:
        path = tmp_path / "read.parquet"
        path.write_bytes(content)
        return duckdb.sql(sql.format(path)).fetchall()

    return read


ROWS = [
    {"n": 1, "s": "plain", "f": 1.5, "b": True},
    {"n": None, "s": 'a "quote", and\na line', "f": 1e300, "b": None},
    {"n": -(2**63), "s": "", "f": None, "b": False},
    {"n": 2**63 - 1, "s": None, "f": 0.1, "b": None},
    {"n": 0, "s": "ünï 🦆\r\n\t", "f": -0.5, "b": None},
]


class TestCsv:
    def test_is_rfc_4180_with_a_header(self):
        assert convert_rows("csv", ROWS).decode() == (
            "n,s,f,b\r\n"
            "1,plain,1.5,true\r\n"
            ',"a ""quote"", and\na line",1e+300,\r\n'
            '-9223372036854775808,"",,false\r\n'
            "9223372036854775807,,0.1,\r\n"
            '0,"ünï 🦆\r\n\t",-0.5,\r\n'
        )

    def test_python_reads_what_was_written(self):
        read = list(csv.DictReader(StringIO(convert_rows("csv", ROWS).decode(), newline="")))
        assert [row["s"] for row in read] == [row["s"] or "" for row in ROWS]

    def test_null_is_empty_and_empty_text_is_quoted(self):
        assert convert_rows("csv", [{"a": None, "b": "", "c": "NULL"}]) == b'a,b,c\r\n,"",NULL\r\n'

    @pytest.mark.parametrize("formula", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("x")'])
    def test_formulas_are_not_changed(self, formula):
        [row] = csv.DictReader(StringIO(convert_rows("csv", [{"a": formula}]).decode()))
        assert row == {"a": formula}

    def test_names_are_quoted_where_they_must_be(self):
        names = ['say "x"', "a,b", "a\nb", "select", "'); DROP TABLE data; --"]
        data = convert_rows("csv", [dict.fromkeys(names, 1)]).decode()
        assert next(csv.reader(StringIO(data, newline=""))) == names

    def test_nested_values_are_json(self, parquet):
        data = convert("csv", "t.parquet", parquet("SELECT [1, 2] AS l, {'a': 'x\"y'} AS s"))
        [row] = csv.DictReader(StringIO(data.decode()))
        assert {name: json.loads(text) for name, text in row.items()} == {
            "l": [1, 2], "s": {"a": 'x"y'},
        }  # fmt: skip

    def test_nan_and_infinity_stay(self):
        assert convert("csv", "t.csv", b"x\nnan\n-inf\n1\n") == b"x\r\nnan\r\n-inf\r\n1.0\r\n"


class TestJsonLines:
    def test_types_and_nulls_are_jsons_own(self):
        lines = convert_rows("jsonl", ROWS).decode().splitlines()
        assert [json.loads(line) for line in lines] == ROWS

    def test_nan_and_infinity_become_null(self):
        assert convert("jsonl", "t.csv", b"x\nnan\ninf\n1.5\n").splitlines() == [
            b'{"x":null}', b'{"x":null}', b'{"x":1.5}',
        ]  # fmt: skip

    def test_nested_nan_is_refused_with_the_reason(self, parquet):
        with pytest.raises(Permanent, match="a nested value is NaN or infinite"):
            convert("jsonl", "t.parquet", parquet("SELECT [1.5, 'nan'::DOUBLE] AS x"))

    def test_the_word_nan_in_a_nested_text_is_no_number(self, parquet):
        select = "SELECT {'a': 'NaN \\\" Infinity', 'NaN': 1} AS x"
        [line] = convert("jsonl", "t.parquet", parquet(select)).splitlines()
        assert json.loads(line) == {"x": {"a": 'NaN \\" Infinity', "NaN": 1}}

    def test_decimals_keep_their_digits(self, parquet):
        select = "SELECT 12345678901234567890.12::DECIMAL(30,2) AS d"
        assert convert("jsonl", "t.parquet", parquet(select)) == b'{"d":12345678901234567890.12}\n'

    def test_times_are_iso_8601_and_blobs_hexadecimal(self, parquet):
        select = """SELECT DATE '2024-01-02' AS day, TIMESTAMP '2024-01-02 03:04:05.5' AS local,
            TIMESTAMPTZ '2024-01-02 03:04:05+02' AS instant, '\\x00\\xff'::BLOB AS raw,
            TIMESTAMP_NS '2024-01-02 03:04:05.000000001' AS nano, 'infinity'::TIMESTAMPTZ AS ever"""
        assert json.loads(convert("jsonl", "t.parquet", parquet(select))) == {
            "day": "2024-01-02", "local": "2024-01-02T03:04:05.5",
            "instant": "2024-01-02T01:04:05Z", "raw": "00ff",
            "nano": "2024-01-02T03:04:05.000000001", "ever": "infinity",
        }  # fmt: skip


class TestParquet:
    def test_values_and_types_stay(self, read_parquet):
        data = convert_rows("parquet", ROWS)
        assert read_parquet(data) == [tuple(row.values()) for row in ROWS]
        assert [kind for _, kind, *_ in read_parquet(data, "DESCRIBE FROM '{}'")] == [
            "BIGINT", "VARCHAR", "DOUBLE", "BOOLEAN",
        ]  # fmt: skip

    def test_is_packed_with_zstandard(self, read_parquet):
        data = convert_rows("parquet", [{"a": "x" * 50, "b": n} for n in range(500)])
        sql = "SELECT DISTINCT compression FROM parquet_metadata('{}')"
        assert read_parquet(data, sql) == [("ZSTD",)]

    def test_integers_beyond_64_bits_lose_nothing(self, read_parquet):
        data = convert("parquet", "t.csv", f"x,y\n{2**100 + 1},{2**63}\n{2**70},-1\n".encode())
        assert read_parquet(data) == [(str(2**100 + 1), str(2**63)), (str(2**70), "-1")]

    def test_integers_of_both_signs_are_integers(self, read_parquet):
        data = convert_rows("parquet", [{"x": 2**63 - 1}, {"x": -(2**63)}, {"x": None}])
        assert read_parquet(data) == [(2**63 - 1,), (-(2**63),), (None,)]
        [(_, kind, *_)] = read_parquet(data, "DESCRIBE FROM '{}'")
        assert kind == "BIGINT"

    def test_what_parquet_has_not_loses_nothing(self, parquet, read_parquet):
        select = "SELECT INTERVAL '2 months 3 days' AS span, TIMETZ '10:00:00+00' AS clock"
        data = convert("parquet", "t.parquet", parquet(select))
        assert read_parquet(data) == [("2 months 3 days", "10:00:00+00")]


def test_says_file_rows_and_columns():
    output, data = converted("jsonl", "t.csv", b"a,b\n1,2\n3,4\n5,6\n")
    assert (output.rows, output.columns) == (3, 2)
    assert output.file.model_dump() == {
        "name": "table.jsonl", "content_type": "application/x-ndjson", "size_bytes": len(data),
    }  # fmt: skip


def test_the_file_is_called_what_is_asked():
    context = FakeContext()
    convert_table.run(Input(rows=[{"a": 1}], to="csv", filename="Sales 2024-1.csv"), context)
    assert list(context.saved) == ["Sales 2024-1.csv"]


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_a_table_without_rows_keeps_its_columns_where_the_format_can(to):
    output, data = converted(to, "t.csv", b"a,b\n")
    assert (output.rows, output.columns) == (0, 2)
    assert {"csv": data == b"a,b\r\n", "jsonl": data == b"", "parquet": data[:4] == b"PAR1"}[to]


def test_the_order_of_rows_stays():
    lines = b"".join(b"%d,%d\n" % (n, n * n) for n in range(300_000))
    data = convert("csv", "t.parquet", convert("parquet", "t.csv", b"n,m\n" + lines))
    assert data.replace(b"\r\n", b"\n") == b"n,m\n" + lines


class TestBounds:
    def test_a_table_that_becomes_too_large_is_refused_early(self, parquet, monkeypatch):
        monkeypatch.setattr(database, "MAX_WRITTEN_BYTES", 8 << 20)
        content = parquet("SELECT repeat('x', 1000) AS a FROM range(2000000)")
        started = time.monotonic()
        with pytest.raises(Permanent, match="what the table becomes is larger than 8 MiB"):
            convert("csv", "t.parquet", content)
        assert time.monotonic() - started < 15

    @pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
    def test_rows_of_a_kilobyte_each_fit_in_memory(self, to, parquet):
        select = "SELECT repeat(md5(range::VARCHAR), 32) AS a FROM range(400000)"
        output, _ = converted(to, "t.parquet", parquet(select))
        assert output.rows == 400_000

    def test_a_cancelled_attempt_saves_nothing(self):
        context = FakeContext(uploads={"it": ("t.csv", b"a\n1\n")})
        context.cancelled = lambda: True
        with pytest.raises(Abandoned):
            convert_table.run(Input(upload="it", to="csv"), context)
        assert not context.saved

    def test_nothing_is_left_on_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        convert("parquet", "t.csv", b"a\n1\n")
        with pytest.raises(Permanent):
            convert("parquet", "t.csv", b"a,b\n1\n")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("given_input", "reason"),
        [
            ({}, "to\n  Field required"),
            ({"to": "xlsx"}, "'csv', 'jsonl' or 'parquet'"),
            *(
                ({"to": "csv", "filename": name}, "should match pattern")
                for name in (
                    "",
                    "../x",
                    "a/b",
                    ".csv",
                    "x.",
                    "a\nb",
                    "x\n",
                    "é",
                    'a"b',
                    "a\\b",
                    " ",
                )
            ),
            ({"to": "csv", "filename": "x" * 101}, "at most 100 characters"),
        ],
    )
    def test_input_says_what_is_wrong(self, given_input, reason):
        with pytest.raises(ValidationError, match=reason):
            Input.model_validate({"rows": [{"a": 1}]} | given_input)
