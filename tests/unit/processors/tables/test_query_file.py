"""Results of queries that are files."""

import errno
import time

import duckdb
import pytest
from pydantic import ValidationError

from processors.tables import convert
from processors.tables import query_process as process
from processors.tables import query_runner as runner
from processors.tables.convert import convert_table
from processors.tables.query import Input, Output, query_table
from tandem.processing import Permanent
from tandem.testing import FakeContext

ROWS = [
    {"city": "Oslo", "amount": 12.5},
    {"city": "Bergen", "amount": 7.0},
    {"city": "Oslo", "amount": 30.0},
    {"city": None, "amount": None},
]
SQL = """SELECT city, amount, sum(1) OVER () AS n, DATE '2024-01-05' AS day, 1.50 AS d,
         {'a': [1, 2]} AS o FROM data ORDER BY amount"""


def query(sql: str, context: FakeContext, **more) -> Output:
    return query_table.run(Input(rows=ROWS, sql=sql, **more), context)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("csv", b'city,amount,n,day,d,o\r\nBergen,7.0,4,2024-01-05,1.50,"{""a"":[1,2]}"\r\n'),
        (
            "jsonl",
            b'{"city":"Bergen","amount":7.0,"n":4,"day":"2024-01-05","d":1.5,"o":{"a":[1,2]}}\n',
        ),
    ],
)  # fmt: skip
def test_it_holds_the_whole_result(to, expected):
    context = FakeContext()
    output = query(SQL, context, to=to)
    assert (output.rows, output.row_count, output.truncated) == (None, 4, False)
    assert [column.name for column in output.columns] == [
        "city",
        "amount",
        "n",
        "day",
        "d",
        "o",
    ]
    assert output.file.name == f"result.{to}"
    content = context.saved[f"result.{to}"]
    assert content.startswith(expected)
    assert output.file.size_bytes == len(content)


TYPES = """SELECT DATE '2024-01-05' AS day, TIMESTAMPTZ '2024-01-05 10:00:00+02' AS instant,
    0.5::DECIMAL(18, 18) AS share, 0.1::FLOAT AS f, 'nan'::DOUBLE AS d, '\\xAA'::BLOB AS b,
    {'a': [1.10, 2.25], 'b': '"'} AS o, 'x,"' || chr(10) AS t, NULL::TEXT AS none,
    9007199254740993 AS large, INTERVAL '1 day' AS i,
    UUID '4ab35305-b33a-443b-ad4b-3f494ba5ee6b' AS u
"""


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_values_are_written_as_convert_table_writes_them(to, tmp_path):
    path = tmp_path / "t.parquet"
    duckdb.sql(TYPES).write_parquet(str(path))
    converted, queried = (
        FakeContext(uploads={"it": ("t.parquet", path.read_bytes())}) for _ in range(2)
    )
    convert_table.run(convert.Input(upload="it", to=to), converted)
    query_table.run(Input(upload="it", sql="FROM data", to=to), queried)
    assert queried.saved[f"result.{to}"] == converted.saved[f"table.{to}"]


def test_parquet_keeps_types(tmp_path):
    context = FakeContext()
    query(SQL, context, to="parquet")
    path = tmp_path / "result.parquet"
    path.write_bytes(context.saved["result.parquet"])
    table = duckdb.read_parquet(str(path))
    assert [str(kind) for kind in table.types] == [
        "VARCHAR", "DOUBLE", "BIGINT", "DATE", "DECIMAL(3,2)", "STRUCT(a INTEGER[])",
    ]  # fmt: skip
    assert table.project("n").fetchall() == [(4,)] * 4


def test_it_has_more_rows_than_an_answer():
    context = FakeContext()
    output = query("FROM range(50000)", context, to="csv")
    assert output.row_count == 50_000
    lines = context.saved["result.csv"].split()
    assert lines == [b"range", *(str(n).encode() for n in range(50_000))]


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_it_may_hold_no_row(to):
    context = FakeContext()
    assert query("SELECT 1 AS a WHERE false", context, to=to).row_count == 0
    assert (context.saved[f"result.{to}"] == b"") == (to == "jsonl")


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_it_is_bounded(to, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(runner, "QUERY_FILE_BYTES", 3 << 20)
    context = FakeContext()
    begun = time.monotonic()
    with pytest.raises(Permanent, match="the result is larger than 3 MiB"):
        query("SELECT hash(range) FROM range(1000000000000)", context, to=to)
    assert time.monotonic() - begun < 20
    assert context.saved == {}
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_not_the_querys_fault(monkeypatch):
    class FullDisk(process.ReceivedFile):
        def _write(self, pipe):
            pipe.read(1)
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runner, "ReceivedFile", FullDisk)
    with pytest.raises(OSError, match="No space left"):
        query("FROM range(1000000)", FakeContext(), to="csv")


@pytest.mark.parametrize(
    ("sql", "to", "expected"),
    [
        ("SELECT nope", "csv", '"nope" was not found'),
        ("SELECT error('no') FROM data", "csv", "no"),
        ("SELECT 9223372036854775808::HUGEINT", "parquet", "an integer has more than 64 bits"),
        ("SELECT {'a': 'nan'::DOUBLE} AS n", "jsonl", "a nested value is NaN or infinite"),
        (f"SELECT {', '.join(['1'] * 501)}", "csv", "the result has more than 500 columns"),
    ],
)  # fmt: skip
def test_mistakes_are_said_as_elsewhere(sql, to, expected):
    context = FakeContext()
    with pytest.raises(Permanent, match=expected):
        query(sql, context, to=to)
    assert context.saved == {}


def test_its_rows_are_limited_by_the_query_alone():
    with pytest.raises(ValidationError, match="limit goes without to"):
        query("FROM data", FakeContext(), to="csv", limit=1000)
