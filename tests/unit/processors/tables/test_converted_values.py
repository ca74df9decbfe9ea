"""How `convert-table` writes the values of each type."""

import csv
import json
from decimal import Decimal
from io import StringIO

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.tables.convert import Input, convert_table
from processors.tables.summarize import Input as SummaryInput
from processors.tables.summarize import summarize_table
from processors.tables.type_names import parse_type
from tandem.processing import Permanent
from tandem.testing import FakeContext


def convert(to: str, filename: str, content: bytes) -> bytes:
    context = FakeContext(uploads={"it": (filename, content)})
    convert_table.run(Input(upload="it", to=to), context)
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
def converted(parquet):
    """The text of one value, made by SQL, in JSON Lines and in CSV."""

    def run(sql: str) -> tuple[str, str]:
        content = parquet(f"SELECT {sql} AS x, 1 AS n")
        line = convert("jsonl", "t.parquet", content).decode()
        assert json.loads(line)["n"] == 1
        rows = list(csv.reader(StringIO(convert("csv", "t.parquet", content).decode())))
        return line.removeprefix('{"x":').removesuffix(',"n":1}\n'), rows[1][0]

    return run


class TestValues:
    @pytest.mark.parametrize(
        ("sql", "text"),
        [
            (".123::DECIMAL(3,3)", "0.123"),
            ("-.123::DECIMAL(3,3)", "-0.123"),
            ("0::DECIMAL(3,3)", "0.000"),
            ("-.00000000000000000000000000000000000001::DECIMAL(38,38)",
                "-0.00000000000000000000000000000000000001"),
            ("12345678901234567890.12::DECIMAL(30,2)", "12345678901234567890.12"),
            ("0.1::FLOAT", "0.1"),
            ("16777216::FLOAT", "16777216.0"),
            ("0.1::DOUBLE", "0.1"),
            ("5e-324::DOUBLE", "5e-324"),
            ("true", "true"),
            ("255::UTINYINT", "255"),
        ],
    )  # fmt: skip
    def test_numbers_are_numbers_with_all_their_digits(self, converted, sql, text):
        assert converted(sql) == (text, text)

    @pytest.mark.parametrize(
        ("sql", "text"),
        [
            ("DATE '2024-01-05'", "2024-01-05"),
            ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
            ("DATE '12024-01-05'", "12024-01-05"),
            ("'infinity'::DATE", "infinity"),
            ("TIMESTAMP '0044-03-15 (BC) 10:00:00'", "0044-03-15 (BC) 10:00:00"),
            ("TIMESTAMP '12024-01-05 10:00:00.5'", "12024-01-05T10:00:00.5"),
            ("TIMESTAMPTZ '2024-01-05 10:00:00+02'", "2024-01-05T08:00:00Z"),
            ("TIMESTAMPTZ '0044-03-15 (BC) 10:00:00+00'", "0044-03-15 (BC) 10:00:00Z"),
            ("TIMESTAMP_NS '2024-01-05 10:00:00.123456789'", "2024-01-05T10:00:00.123456789"),
            ("TIMESTAMPTZ_NS '2024-01-05 10:00:00.123456789+00'",
                "2024-01-05T10:00:00.123456789Z"),
            ("TIMESTAMP_S '2024-01-05 10:00:00'", "2024-01-05T10:00:00"),
            ("TIME '10:00:00.5'", "10:00:00.5"),
            ("TIME_NS '10:00:00.000000001'", "10:00:00.000000001"),
            ("TIMETZ '10:00:00+00'", "10:00:00+00"),
            ("INTERVAL '2 months 3 days'", "2 months 3 days"),
            ("'e5a3024a-a146-461f-908c-4b0bb5f23c86'::UUID",
                "e5a3024a-a146-461f-908c-4b0bb5f23c86"),
            ("'b'::ENUM('a', 'b')", "b"),
            ("'\\x00\\xff'::BLOB", "00ff"),
            ("'a\"b'", 'a"b'),
        ],
    )  # fmt: skip
    def test_other_values_are_text_that_sorts_and_reads(self, converted, sql, text):
        assert converted(sql) == (json.dumps(text), text)

    @pytest.mark.parametrize(
        ("sql", "text"),
        [
            ("[12345678901234567890.12::DECIMAL(30,2), NULL]", "[12345678901234567890.12,null]"),
            ("{'a': -.5::DECIMAL(2,2), 'b \"c': 0.1::FLOAT}", r'{"a":-0.50,"b \"c":0.1}'),
            ("[[0.1::FLOAT], [], NULL]", "[[0.1],[],null]"),
            ("MAP {'k': .5::DECIMAL(1,1)}", '{"k":0.5}'),
            ("MAP {DATE '2024-01-05': [TIMESTAMP '2024-01-05 10:00:00']}",
                '{"2024-01-05":["2024-01-05T10:00:00"]}'),
            ("[TIMESTAMPTZ '2024-01-05 10:00:00+02', NULL]", '["2024-01-05T08:00:00Z",null]'),
            ("['\\x00'::BLOB]", '["00"]'),
            ("{'o': {'l': [{'d': .5::DECIMAL(1,1)}, NULL]}}", '{"o":{"l":[{"d":0.5},null]}}'),
            ("[1, 2]", "[1,2]"),
            ("{'a': 'x\ny', 'b': NULL}", r'{"a":"x\ny","b":null}'),
            ("[1.5::DOUBLE]::DOUBLE[1]", "[1.5]"),
            ("'{\"a\":\n 12345678901234567890.12}'::JSON", '{"a":  12345678901234567890.12}'),
        ],
    )  # fmt: skip
    def test_nested_values_are_json_with_all_digits(self, converted, sql, text):
        assert converted(sql) == (text, text)

    @pytest.mark.parametrize(
        ("sql_type", "null"), [("STRUCT(a FLOAT)", "NULL"), ("FLOAT[]", "NULL"), ("DATE", "NULL")]
    )
    def test_null_is_null(self, converted, sql_type, null):
        assert converted(f"{null}::{sql_type}") == ("null", "")

    @pytest.mark.parametrize("to", ["jsonl", "csv"])
    @pytest.mark.parametrize(
        "sql",
        ["{'a': ['inf'::DOUBLE]}", "['nan'::FLOAT]", "'[NaN]'::JSON", "MAP{1: '-inf'::FLOAT}"],
    )
    def test_nested_nan_is_refused_wherever_it_is(self, parquet, to, sql):
        with pytest.raises(Permanent, match="a nested value is NaN or infinite"):
            convert(to, "t.parquet", parquet(f"SELECT {sql} AS x"))


class TestDatesOfCsv:
    DATES = b"d,at\n2024-1-5,2024-01-05 03:04:05\n2024-12-24,2024-12-24 10:00:00\n"

    def test_are_iso_8601_on_every_way(self):
        days, moments = ["2024-01-05", "2024-12-24"], ["2024-01-05T03:04:05", "2024-12-24T10:00:00"]
        lines = convert("jsonl", "t.csv", self.DATES).splitlines()
        assert [json.loads(line) for line in lines] == [
            {"d": day, "at": moment} for day, moment in zip(days, moments, strict=True)
        ]
        rows = list(csv.reader(StringIO(convert("csv", "t.csv", self.DATES).decode())))
        assert rows[1:] == [list(row) for row in zip(days, moments, strict=True)]
        context = FakeContext(uploads={"it": ("t.csv", self.DATES)})
        summary = summarize_table.run(SummaryInput(upload="it"), context)
        assert [(one.min, one.max) for one in summary.columns] == [tuple(days), tuple(moments)]
        assert summary.first_rows == rows[1:]

    def test_are_iso_8601_in_a_file_of_nothing_else(self):
        assert convert("csv", "t.csv", b"d\n2024-1-5\n") == b"d\r\n2024-01-05\r\n"
        assert convert("jsonl", "t.csv", b"d\n2024-1-5\n") == b'{"d":"2024-01-05"}\n'


class TestOneColumn:
    """Pandas, DuckDB and most other readers skip a line that is empty or blank."""

    @pytest.mark.parametrize(
        ("values", "lines"),
        [
            ([1, None, 3], ["1", '""', "3"]),
            ([None, 2.5], ['""', "2.5"]),
            ([True, None], ["true", '""']),
            (["x", None, "", " "], ['"x"', '""', '""', '" "']),
            ([None], ['""']),
        ],
    )
    def test_no_line_is_empty_or_blank(self, values, lines):
        context = FakeContext()
        convert_table.run(Input(rows=[{"a": value} for value in values], to="csv"), context)
        [data] = context.saved.values()
        assert data.decode().split("\r\n")[1:-1] == lines

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(-9, 9) | st.none(), min_size=1).filter(any))
    def test_nulls_come_back_from_our_reader_and_from_duckdbs(self, tmp_path_factory, values):
        context = FakeContext()
        convert_table.run(Input(rows=[{"a": value} for value in values], to="csv"), context)
        [data] = context.saved.values()
        lines = convert("jsonl", "t.csv", data).splitlines()
        assert [json.loads(line)["a"] for line in lines] == values
        path = tmp_path_factory.mktemp("made") / "t.csv"
        path.write_bytes(data)
        read = duckdb.execute("FROM read_csv(?, header = true)", [str(path)]).fetchall()
        assert read == [(value,) for value in values]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.decimals(-1, 1, places=18).filter(lambda d: abs(d) < 1), min_size=1))
def test_decimals_without_a_whole_digit_keep_their_value(tmp_path_factory, decimals):
    path = tmp_path_factory.mktemp("made") / "t.parquet"
    values = ", ".join(f"({one}::DECIMAL(18,18))" for one in decimals)
    duckdb.sql(f"COPY (FROM (VALUES {values}) t(x)) TO '{path}'")
    lines = convert("jsonl", "t.parquet", path.read_bytes()).splitlines()
    assert [json.loads(line, parse_float=Decimal)["x"] for line in lines] == decimals


class TestTypeNames:
    @pytest.mark.parametrize(
        ("text", "shape", "parts"),
        [
            ("INTEGER", "scalar", []),
            ("TIMESTAMP WITH TIME ZONE", "scalar", []),
            ("DECIMAL(18,2)", "scalar", []),
            ("ENUM('a', 'b,)''')", "scalar", []),
            ("DECIMAL(18,2)[][3]", "array", [("", "list")]),
            ('STRUCT("a b" INTEGER, "x""y" DECIMAL(2,1)[], z MAP(VARCHAR, DATE))', "struct",
                [("a b", "scalar"), ('x"y', "list"), ("z", "map")]),
            ("UNION(q INTEGER, s STRUCT(a DATE))", "union", [("q", "scalar"), ("s", "struct")]),
            ("TUPLE(INTEGER, VARCHAR[])", "tuple", [("", "scalar"), ("", "list")]),
            ('STRUCT("struct" "NULL")', "struct", [("struct", "scalar")]),
        ],
    )  # fmt: skip
    def test_are_read_as_duckdb_writes_them(self, text, shape, parts):
        found = parse_type(text)
        assert found.shape == shape
        assert [(name, part.shape) for name, part in found.parts] == parts

    @pytest.mark.parametrize("text", ["STRUCT(a", "INTEGER[", 'STRUCT("a INTEGER)', "A) B", ""])
    def test_that_are_none_are_refused(self, text):
        with pytest.raises(ValueError, match=r".*"):
            parse_type(text)
