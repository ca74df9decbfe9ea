"""The histograms of a profile: edges at round numbers, and every value in its bin."""

from datetime import datetime, timedelta
from itertools import pairwise

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors.tables.summarize import ColumnSummary, Input, Output, summarize_table
from tandem.testing import FakeContext

FIRST, LAST, SOME_DAY = map(datetime.fromisoformat, ("0001-01-01", "9999-12-31", "2024-01-05"))


def summarize(filename: str, content: bytes | str) -> Output:
    data = content.encode() if isinstance(content, str) else content
    return summarize_table.run(Input(upload="it"), FakeContext(uploads={"it": (filename, data)}))


def summarize_values(values: list) -> ColumnSummary:
    rows = [{"x": value} for value in values]
    return summarize_table.run(Input(rows=rows), FakeContext()).columns[0]


@pytest.fixture
def summarize_select(tmp_path):
    def run(select: str) -> Output:
        path = tmp_path / "made.parquet"
        duckdb.sql(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return summarize("t.parquet", path.read_bytes())

    return run


class TestHistogram:
    @pytest.mark.parametrize(
        ("values", "edges"),
        [
            ([1, 2, 4], [1, 2, 3, 4, 5]),
            ([7, 7], [7, 8]),
            ([0, 99], list(range(0, 101, 5))),
            ([-3, 2**63 - 1], [n * 5 * 10**17 for n in range(-1, 20)]),
            ([0.25, 0.5], [n / 50 for n in range(12, 27)]),
            ([12.5], [12.0, 13.0]),
            ([0.0], [0.0, 1.0]),
            ([1e-300], [1e-300, 2e-300]),
            ([5e-324], [0.0, 1e-323]),
            ([1e300, -1e300, 0.5], [n * 1e299 for n in range(-10, 13)][::2]),
        ],
    )
    def test_edges_are_round_numbers(self, values, edges):
        histogram = summarize_values(values).histogram
        assert histogram.edges == pytest.approx(edges)
        assert sum(histogram.counts) == len(values)

    @pytest.mark.parametrize(
        ("sql_type", "values", "edges"),
        [
            ("DATE", ["2024-01-31", "2024-12-24"],
                [f"2024-{month:02}-01" for month in range(1, 13)] + ["2025-01-01"]),
            ("DATE", ["2024-01-05"], ["2024-01-05", "2024-01-06"]),
            ("DATE", ["9999-12-31", "1900-01-01"], [f"{n * 500:04}-01-01" for n in range(3, 21)]),
            ("TIMESTAMP", ["2024-01-05 10:00:01", "2024-01-05 10:01:00"],
                [f"2024-01-05T10:{n // 12:02}:{n * 5 % 60:02}" for n in range(14)]),
            ("TIMESTAMPTZ", ["2024-01-05 10:30:00+02", "2024-01-05 09:59:00+00"],
                [f"2024-01-05T{n // 12:02}:{n * 5 % 60:02}:00Z" for n in range(102, 121)]),
            ("TIME", ["00:00:00", "23:59:59"], [f"{n:02}:00:00" for n in range(0, 25, 2)]),
            ("TIMESTAMP_NS", ["2024-01-05 10:00:00.000000001"],
                ["2024-01-05T10:00:00", "2024-01-05T10:00:00.000001"]),
        ],
    )  # fmt: skip
    def test_edges_are_where_units_of_time_begin(self, summarize_select, sql_type, values, edges):
        rows = ", ".join(f"('{value}')" for value in values)
        output = summarize_select(f"SELECT x::{sql_type} AS x FROM (VALUES {rows}) t(x)")  # noqa: S608
        histogram = output.columns[0].histogram
        assert histogram.edges == edges
        assert sum(histogram.counts) == len(values)

    @pytest.mark.parametrize(
        "value", ["DATE 'infinity'", "DATE '0044-03-15 (BC)'", "TIMESTAMP '12024-01-05'", "'x'",
                  "[1]", "NULL::INTEGER", "'nan'::DOUBLE", "1.7e308::DOUBLE"],
    )  # fmt: skip
    def test_is_not_there_where_it_would_say_nothing(self, summarize_select, value):
        assert summarize_select(f"SELECT {value} AS x").columns[0].histogram is None

    def test_leaves_out_nan_and_infinity(self):
        column = summarize("t.csv", "x\nnan\ninf\n-inf\n1.5\n2.5\n\n").columns[0]
        assert sum(column.histogram.counts) == 2

    @example([5e-324])
    @example([5e-324, 2e-323])
    @settings(max_examples=60, deadline=None)
    @given(st.lists(
        st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
        | st.integers(-50, 50).map(lambda n: n / 10), min_size=1, max_size=60,
    ))  # fmt: skip
    def test_each_value_is_in_its_bin(self, values):
        histogram = summarize_values(values).histogram
        edges = histogram.edges
        assert edges == sorted(set(edges))
        assert len(histogram.counts) == len(edges) - 1 <= 20
        expected = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
        assert histogram.counts == expected
        assert sum(expected) == len(values)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(
        st.datetimes(FIRST, LAST)
        | st.timedeltas(timedelta(0), timedelta(days=3)).map(lambda time: SOME_DAY + time),
        min_size=1, max_size=30,
    ))  # fmt: skip
    def test_each_moment_is_in_its_bin(self, tmp_path_factory, moments):
        path = tmp_path_factory.mktemp("made") / "t.parquet"
        values = ", ".join(f"(TIMESTAMP '{moment.isoformat()}')" for moment in moments)
        duckdb.sql(f"COPY (FROM (VALUES {values}) t(x)) TO '{path}'")
        histogram = summarize("t.parquet", path.read_bytes()).columns[0].histogram
        # Python has no year 10000, which the last edge may be in.
        edges = [datetime.fromisoformat(edge) for edge in histogram.edges[:-1]]
        from_edge = [sum(edge <= moment for moment in moments) for edge in edges]
        assert from_edge[0] == len(moments)
        assert [sum(histogram.counts[n:]) for n in range(len(edges))] == from_edge
