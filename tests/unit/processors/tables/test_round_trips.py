"""What `convert-table` writes, it reads again as the same values."""

import csv
import json
from datetime import UTC
from io import StringIO

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.tables.convert import Input, convert_table
from tandem.testing import FakeContext


def convert(to: str, filename: str, content: bytes) -> bytes:
    context = FakeContext(uploads={"it": (filename, content)})
    convert_table.run(Input(upload="it", to=to), context)
    [data] = context.saved.values()
    return data


def convert_rows(to: str, rows: list[dict]) -> bytes:
    context = FakeContext()
    convert_table.run(Input(rows=rows, to=to), context)
    [data] = context.saved.values()
    return data


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda text: f"w{text}")
tables = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(-(2**63), 2**63 - 1) | st.none(),
            "float": st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
            | st.none(),
            "text": words | st.none(),
            "flag": st.booleans() | st.none(),
            "day": st.dates().map(str) | st.none(),
            "key": st.just("k"),
        }
    ),
    min_size=1,
    max_size=30,
)


class TestRoundTrips:
    @settings(max_examples=40, deadline=None)
    @given(tables)
    def test_csv_to_parquet_to_json_lines_to_csv_keeps_every_byte(self, rows):
        first = convert_rows("csv", rows)
        parquet = convert("parquet", "t.csv", first)
        lines = convert("jsonl", "t.parquet", parquet)
        assert convert("csv", "t.jsonl", lines) == first

    @settings(max_examples=40, deadline=None)
    @given(tables)
    def test_json_lines_keep_every_value(self, rows):
        parquet = convert("parquet", "t.jsonl", convert_rows("jsonl", rows))
        lines = convert("jsonl", "t.parquet", parquet).splitlines()
        assert [json.loads(line) for line in lines] == rows

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1))
    def test_any_text_survives_in_parquet_and_json_lines(self, texts):
        rows = [{"x": "text"}, *({"x": text} for text in texts)]
        lines = convert("jsonl", "t.parquet", convert_rows("parquet", rows)).splitlines()
        assert [json.loads(line) for line in lines] == rows


no_zone = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
letters = st.text("abc ,;\"'\t#é🦆", min_size=1, max_size=8).map(lambda text: f"t{text}")
kept_as_written = {
    "integer": st.integers(-(2**63), 2**63 - 1).map(str),
    "small": st.integers(-9, 9).map(str),
    "flag": st.sampled_from(["true", "false"]),
    "day": st.dates().map(str),
    "moment": no_zone,
    "instant": no_zone.map(lambda text: f"{text}Z"),
    "clock": st.times().map(lambda time: time.replace(microsecond=0).isoformat()),
    "id": st.uuids().map(str),
    "code": st.integers(0, 99_999).map(lambda number: f"0{number:05}"),
    "text": letters,
}
"""Values of CSV by type, in the form in which they are written."""


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    kinds = draw(st.lists(st.sampled_from(sorted(kept_as_written)), min_size=1, max_size=4))
    values = [kept_as_written[kind] | st.just("") for kind in kinds]
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=12))
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([f"{kind}{n}" for n, kind in enumerate(kinds)])
    writer.writerows(rows)
    return text.getvalue().encode()


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(content.decode(), newline="")))


class TestCsv:
    @settings(max_examples=40, deadline=None)
    @given(csv_files())
    def test_comes_back_through_parquet_with_every_value(self, content):
        in_parquet = convert("parquet", "t.csv", content)
        assert read(convert("csv", "t.parquet", in_parquet)) == read(content)

    @settings(max_examples=40, deadline=None)
    @given(csv_files())
    def test_that_was_written_here_comes_back_with_every_byte(self, content):
        first = convert("csv", "t.csv", content)
        assert convert("csv", "t.parquet", convert("parquet", "t.csv", first)) == first

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=12))
    def test_floating_point_numbers_come_back_as_the_same_number(self, numbers):
        content = "x\n" + "".join(f"{number!r}\n" for number in numbers)
        in_parquet = convert("parquet", "t.csv", content.encode())
        rows = read(convert("csv", "t.parquet", in_parquet))
        assert [float(row[0]) for row in rows[1:]] == numbers


def lists_of(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, min_size=1, max_size=3)


json_values = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0),
    "flag": st.booleans(),
    "text": letters,
    "instant": st.datetimes(timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    ),
    "list": lists_of(st.integers(-9, 9)),
    "texts": lists_of(letters),
    "object": st.fixed_dictionaries({"a": st.integers(-9, 9), "b": letters, "c": st.booleans()}),
    "objects": lists_of(
        st.fixed_dictionaries({"a": lists_of(st.booleans()), "b": st.floats(-1, 1)})
    ),
}


@st.composite
def json_rows(draw: st.DrawFn) -> list[dict]:
    kinds = draw(st.lists(st.sampled_from(sorted(json_values)), min_size=1, max_size=4))
    row = st.fixed_dictionaries(
        {f"{kind}{n}": json_values[kind] | st.none() for n, kind in enumerate(kinds)}
    )
    # The first row has no null: it says what the column holds.
    first = st.fixed_dictionaries({f"{kind}{n}": json_values[kind] for n, kind in enumerate(kinds)})
    return [draw(first), *draw(st.lists(row, max_size=10))]


class TestJsonLines:
    @settings(max_examples=40, deadline=None)
    @given(json_rows())
    def test_come_back_through_parquet_with_every_value(self, rows):
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        in_parquet = convert("parquet", "t.jsonl", content)
        lines = convert("jsonl", "t.parquet", in_parquet).splitlines()
        assert [json.loads(line) for line in lines] == rows

    @settings(max_examples=40, deadline=None)
    @given(json_rows())
    def test_that_were_written_here_come_back_with_every_byte(self, rows):
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        first = convert("jsonl", "t.jsonl", content)
        assert convert("jsonl", "t.parquet", convert("parquet", "t.jsonl", first)) == first


class TestParquet:
    @pytest.mark.parametrize(
        "values",
        [
            "(1::TINYINT), (NULL)",
            "(255::UTINYINT)",
            "(12.50::DECIMAL(18,2)), (-.01)",
            "(.5::DECIMAL(38,38))",
            "(0.1::FLOAT), ('nan'), ('-inf'), (NULL)",
            "(DATE '0044-03-15 (BC)'), ('infinity'), ('12024-01-05')",
            "(TIMESTAMP '2024-01-05 10:00:00.123456')",
            "(TIMESTAMP_NS '2024-01-05 10:00:00.123456789')",
            "(TIMESTAMPTZ '2024-01-05 10:00:00+02')",
            "(TIME '10:00:00.5')",
            "('e5a3024a-a146-461f-908c-4b0bb5f23c86'::UUID)",
            "('\\x00\\xff'::BLOB)",
            "([1, NULL]), ([]), (NULL)",
            "({'a': .5::DECIMAL(1,1), 'b': [DATE '2024-01-05']})",
            "(MAP {'k': 0.1::FLOAT})",
        ],
    )
    def test_keeps_its_types_and_values(self, tmp_path, values):
        before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
        duckdb.sql(f"COPY (FROM (VALUES {values}) t(x)) TO '{before}'")
        after.write_bytes(convert("parquet", "t.parquet", before.read_bytes()))
        sql = "SELECT typeof(x), CAST(x AS VARCHAR) FROM read_parquet(?)"
        assert duckdb.execute(sql, [str(after)]).fetchall() == (
            duckdb.execute(sql, [str(before)]).fetchall()
        )
