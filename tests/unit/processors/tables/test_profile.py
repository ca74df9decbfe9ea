"""What a profile shows besides the figures of a column: keys, values, lengths, rows."""

import json
import math
import random
import statistics
import struct
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.tables import counting, database, quartiles, table
from processors.tables.summarize import ColumnSummary, Input, Output, summarize_table
from tandem.testing import FakeContext

SHUFFLED = random.Random(1)  # noqa: S311  # to be the same in every run


def summarize(filename: str, content: bytes | str) -> Output:
    data = content.encode() if isinstance(content, str) else content
    return summarize_table.run(Input(upload="it"), FakeContext(uploads={"it": (filename, data)}))


def summarize_values(values: list) -> ColumnSummary:
    rows = [{"x": value} for value in values]
    return summarize_table.run(Input(rows=rows), FakeContext()).columns[0]


def top(column: ColumnSummary) -> list[tuple[str, int]]:
    return [(one.value, one.count) for one in column.top]


@pytest.fixture
def summarize_select(tmp_path):
    def run(select: str) -> Output:
        path = tmp_path / "made.parquet"
        duckdb.sql(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return summarize("t.parquet", path.read_bytes())

    return run


@pytest.fixture
def nothing_fits(monkeypatch):
    """No table is small, and no column's values fit in memory."""
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
    monkeypatch.setattr(counting, "MAX_SCANNED_CELLS", 0)
    monkeypatch.setattr(counting, "MAX_COUNTED_BYTES", 1)
    monkeypatch.setattr(quartiles, "MAX_SORTED_BYTES", 0)


class TestKeys:
    @pytest.mark.parametrize(
        ("values", "unique"),
        [
            ([1, 2, 3], True),
            ([1, 2, 2], False),
            ([1, 2, None], False),
            (["a", "A", ""], True),
            ([None, None], False),
            ([0.0, -0.0], False),
        ],
    )
    def test_a_key_has_different_values_and_none_is_null(self, values, unique):
        assert summarize_values(values).unique is unique

    def test_a_column_that_is_not_counted_may_be_a_key(self, nothing_fits):
        whole, gap = summarize("t.csv", "a,b\n1,1\n2,\n").columns
        assert (whole.exact, whole.unique) == (False, None)
        assert (gap.exact, gap.unique) == (False, False)


class TestTop:
    @pytest.mark.parametrize(
        ("sql_type", "values", "expected"),
        [
            ("INTEGER", "(10), (9), (9)", [("9", 2), ("10", 1)]),
            ("INTEGER", "(10), (9), (-1)", [("-1", 1), ("9", 1), ("10", 1)]),
            ("FLOAT", "(0.1), (0.1), (-0.0), (0.0)", [("0.0", 2), ("0.1", 2)]),
            ("DOUBLE", "('nan'), ('nan'), ('1.5')", [("nan", 2), ("1.5", 1)]),
            ("DECIMAL(3,3)", "(.123), (-.5), (-.5)", [("-0.500", 2), ("0.123", 1)]),
            ("DATE", "('2024-01-05'), ('0044-03-15 (BC)')",
                [("0044-03-15 (BC)", 1), ("2024-01-05", 1)]),
            ("TIMESTAMPTZ", "('2024-01-05 10:00:00+02')", [("2024-01-05T08:00:00Z", 1)]),
            ("TIME", "('10:00:00.5')", [("10:00:00.5", 1)]),
            ("BLOB", "('\\xFFa'), ('\\xFFa')", [("ff61", 2)]),
            ("UUID", "('e5a3024a-a146-461f-908c-4b0bb5f23c86')",
                [("e5a3024a-a146-461f-908c-4b0bb5f23c86", 1)]),
            ("INTEGER[]", "([1, 2]), ([1, 2]), ([])", [("[1,2]", 2), ("[]", 1)]),
            ("STRUCT(a DECIMAL(2,2))", "({'a': .5}), (NULL)", [('{"a":0.50}', 1)]),
            ("BOOLEAN", "(true), (false), (true), (NULL)", [("true", 2), ("false", 1)]),
            ("INTERVAL", "('1 day'), ('1 day')", [("1 day", 2)]),
        ],
    )  # fmt: skip
    def test_is_there_for_every_type(self, summarize_select, sql_type, values, expected):
        output = summarize_select(f"SELECT x::{sql_type} AS x FROM (VALUES {values}) t(x)")  # noqa: S608
        assert top(output.columns[0]) == expected

    def test_of_a_skewed_column_misses_no_frequent_value(self):
        texts = [f"tail-{n:04}" for n in range(4000) for _ in range(max(1, 400 - 5 * n))]
        SHUFFLED.shuffle(texts)
        column = summarize("t.csv", "x\n" + "\n".join(texts) + "\n").columns[0]
        assert top(column) == [(f"tail-{n:04}", 400 - 5 * n) for n in range(10)]

    @pytest.mark.parametrize(
        ("sql_type", "value", "shown"),
        [
            ("INTEGER", "7", "7"),
            ("DECIMAL(3,3)", "-.5", "-0.500"),
            ("DECIMAL(38,3)", "12345678901234567890.5", "12345678901234567890.500"),
            ("FLOAT", "0.1", "0.1"),
            ("DOUBLE", "'nan'", "nan"),
            ("DOUBLE", "'inf'", "inf"),
            ("VARCHAR", "''", ""),
            ("BLOB", "'\\xFFa'", "ff61"),
            ("DATE", "'0044-03-15 (BC)'", "0044-03-15 (BC)"),
            ("TIME", "'10:00:00.5'", "10:00:00.5"),
            ("TIMESTAMP_NS", "'2024-01-05 10:00:00.000000001'", "2024-01-05T10:00:00.000000001"),
            ("TIMESTAMPTZ", "'2024-01-05 10:00:00+02'", "2024-01-05T08:00:00Z"),
            ("UUID", "'e5a3024a-a146-461f-908c-4b0bb5f23c86'",
                "e5a3024a-a146-461f-908c-4b0bb5f23c86"),
            ("BIT", "'101'", "101"),
            ("BOOLEAN", "true", "true"),
            ("INTERVAL", "'1 day'", "1 day"),
            ("INTEGER[]", "[1, 2]", "[1,2]"),
            ("STRUCT(a DECIMAL(2,2))", "{'a': .5}", '{"a":0.50}'),
        ],
    )  # fmt: skip
    def test_of_a_column_that_is_not_counted_has_every_type(
        self, nothing_fits, summarize_select, sql_type, value, shown
    ):
        output = summarize_select(
            f"SELECT CASE WHEN range < 70 THEN {value}::{sql_type} END AS x FROM range(100)"  # noqa: S608
        )
        assert not output.columns[0].exact
        assert top(output.columns[0]) == [(shown, 70)]

    @pytest.mark.parametrize("first", [0, 9_000, 20_000])
    def test_of_a_column_that_is_not_counted_shows_what_is_certain(self, nothing_fits, first):
        texts = [f"once-{n}" for n in range(20_000)]
        texts[first:first] = ["often", ""] * 300 + ["rare"] * 150
        column = summarize("t.csv", "x,n\n" + "".join(f"{text},1\n" for text in texts)).columns[0]
        assert not column.exact
        assert top(column) == [("often", 300)]
        assert column.distinct == pytest.approx(20_002, rel=0.1)

    def test_of_a_column_that_memory_does_not_hold_is_as_if_not_counted(self, monkeypatch):
        monkeypatch.setattr(database, "SPILL_LIMIT", "8MiB")
        monkeypatch.setattr(database, "MEMORY_LIMIT", "64MiB")
        monkeypatch.setattr(counting, "MAX_COUNTED_BYTES", 1 << 40)
        monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)
        lines = "".join(f"{n * 7919 % 1_000_003:060},{n % 3}\n" for n in range(600_000))
        many, few = summarize("t.csv", "a,b\n" + lines).columns
        assert (many.exact, top(many)) == (False, [])
        assert (few.exact, few.distinct) == (True, 3)


class TestQuartiles:
    @pytest.mark.parametrize("weighed", [counting.MAX_WEIGHED_VALUES, 0])
    @settings(max_examples=20, deadline=None)
    @given(values=st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 9), min_size=1))
    def test_are_exact_from_different_numbers_and_from_all(self, weighed, values):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(counting, "MAX_WEIGHED_VALUES", weighed)
            column = summarize_values(values)
        ordered = [Decimal(value) for value in sorted(values)]
        for figure, n in ((column.q25, 1), (column.median, 2), (column.q75, 3)):
            whole, rest = divmod((len(ordered) - 1) * n, 4)
            above = ordered[min(whole + 1, len(ordered) - 1)]
            assert figure == float(ordered[whole] + (above - ordered[whole]) * rest / 4)
        assert column.exact

    def test_of_floats_are_those_of_their_shortest_decimals(self, summarize_select):
        column = summarize_select("SELECT 0.1::FLOAT AS x FROM range(3)").columns[0]
        assert (column.min, column.q25, column.mean, column.max) == (0.1, 0.1, 0.1, 0.1)

    @pytest.mark.parametrize(
        ("sql_type", "expected"),
        [("FLOAT", 0.3), ("DECIMAL(38,1)", 0.3), ("DOUBLE", 0.3), ("TINYINT", 0)],
    )
    @pytest.mark.parametrize("weighed", [counting.MAX_WEIGHED_VALUES, 0])
    def test_are_there_for_every_number(
        self, summarize_select, monkeypatch, weighed, sql_type, expected
    ):
        monkeypatch.setattr(counting, "MAX_WEIGHED_VALUES", weighed)
        numbers = "(0.1), (0.2), (0.3), (0.4), (0.45)"
        output = summarize_select(f"SELECT x::{sql_type} AS x FROM (VALUES {numbers}) t(x)")  # noqa: S608
        assert output.columns[0].median == expected

    def test_are_estimated_where_nothing_fits(self, nothing_fits):
        column = summarize("t.csv", "x\n" + "".join(f"{n}\n" for n in range(30_000))).columns[0]
        assert not column.exact
        assert column.median == pytest.approx(15_000, rel=0.02)


class TestTexts:
    def test_have_lengths_in_characters(self):
        column = summarize_values(["å", "ab", "🦆🦆🦆", None])
        assert column.lengths.model_dump() == {"min": 1, "max": 3, "mean": 2}

    def test_blanks_are_empty_or_white_space(self):
        texts = ["", " ", "\t\n", "\u00a0", "\u3000 ", "\u2028", "x", " x ", "~", "é", "!", None]
        assert summarize_values(texts).blanks == 6

    def test_numbers_have_neither(self):
        column = summarize_values([1, 2])
        assert (column.lengths, column.blanks) == (None, None)


class TestFirstRows:
    def test_are_the_first_five_as_text(self):
        lines = "n,d,s\n" + "".join(f"{n},2024-1-{n},{'x' * 500 * (n % 2)}\n" for n in range(1, 9))
        assert summarize("t.csv", lines).first_rows == [
            [str(n), f"2024-01-0{n}", "x" * 100 if n % 2 else None] for n in range(1, 6)
        ]

    def test_of_a_table_without_rows_are_none(self):
        assert summarize("t.csv", "a,b\n").first_rows == []


class TestExactNumbers:
    @pytest.mark.parametrize(
        ("decimal", "shown"),
        [
            ("1234567890123456.78::DECIMAL(18,2)", "1234567890123456.78"),
            ("12.34::DECIMAL(9,2)", 12.34),
            ("12.30::DECIMAL(9,2)", 12.3),
            (".123456789012345678::DECIMAL(18,18)", "0.123456789012345678"),
            ("-.5::DECIMAL(3,3)", -0.5),
            ("99999999999999999999999999999999999999::DECIMAL(38,0)", "9" * 38),
        ],
    )
    def test_a_decimal_that_a_double_would_change_is_text(self, summarize_select, decimal, shown):
        column = summarize_select(f"SELECT {decimal} AS x").columns[0]
        assert (column.min, column.max) == (shown, shown)

    def test_the_mean_of_integers_is_that_of_their_exact_sum(self):
        assert summarize_values([2**62, 2**62, -(2**62), -(2**62), 3]).mean == 0.6


def test_types_with_nanoseconds_have_ends(summarize_select):
    output = summarize_select(
        "SELECT TIMESTAMP_NS '2024-01-05 10:00:00.123456789' AS a, "
        "'10:30:00.000000005'::TIME_NS AS b, TIMESTAMPTZ_NS '1970-01-01 00:00:00.000000001+00' AS c"
    )
    assert [one.min for one in output.columns] == [
        "2024-01-05T10:00:00.123456789", "10:30:00.000000005", "1970-01-01T00:00:00.000000001Z",
    ]  # fmt: skip
    assert [one.max for one in output.columns] == [one.min for one in output.columns]


values = st.lists(
    st.tuples(
        st.integers(-5, 5) | st.none(),
        st.floats(allow_nan=False, allow_infinity=False, width=32) | st.none(),
        st.sampled_from(["a", "b", " ", "", "é"]) | st.none(),
    ),
    min_size=2, max_size=30,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(values, st.randoms())
def test_the_order_of_the_rows_changes_no_figure(rows, shuffle):
    def run(rows: list) -> list[dict]:
        named = [dict(zip("abc", row, strict=True)) for row in [*rows, (1, 0.5, "a")]]
        found = summarize_table.run(Input(rows=named), FakeContext()).columns
        return [one.model_dump() for one in found]

    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert run(shuffled) == run(rows)


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.2, 0.3, 0.4, 0.7, 1.1, 2.3, 5.9, 1e-7, 12.5],
        [1e15 + n / 8 for n in range(20)],
        [-1e9, 1e9, 0.003, 0.1, 7.7],
        [1_700_000_000_000_000 + n * n for n in range(30)],
        [-(2**63), 2**63 - 1, 5, 7, 11],
        [10**25 + 3 * n for n in range(9)],
        [-(2**126), 2**126, 5, 2**126 + 2**125],
    ],
)
def test_mean_and_deviation_are_the_same_in_any_order(values):
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in exact) / (len(exact) - 1))
    seen = set()
    for _ in range(6):
        SHUFFLED.shuffle(values)
        content = "v\n" + "".join(f"{value!r}\n" for value in values)
        context = FakeContext(uploads={"it": ("t.csv", content.encode())})
        column = summarize_table.run(Input(upload="it"), context).columns[0]
        seen.add((column.mean, column.stddev))
    [(found, spread)] = seen
    assert found == pytest.approx(float(mean), rel=1e-15)
    assert spread == pytest.approx(deviation, rel=1e-11)


@pytest.mark.parametrize(
    ("decimals", "deviation"),
    [
        (["1234567890123456.78", "1234567890123456.80", "1234567890123456.82"], 0.02),
        (["-" + "9" * 38, "9" * 38], 1.41421356237e38),
    ],
)
def test_decimals_beyond_a_double_have_their_deviation(summarize_select, decimals, deviation):
    scale = len(decimals[0].partition(".")[2])
    listed = ", ".join(f"'{one}'" for one in decimals)
    output = summarize_select(f"SELECT unnest([{listed}]::DECIMAL(38,{scale})[]) AS x")
    assert output.columns[0].stddev == pytest.approx(deviation, rel=1e-11)


@pytest.mark.parametrize(
    "values",
    [
        ["1.5e38"] * 3,
        ["3.4e38", "-3.4e38", "1e20"],
        ["0.1", "0.2", "0.3"],
        ["1e-45", "3e-45"],
        ["0", "-0.0"],
        ["16777217", "16777216"],
        ["nan", "inf"],
    ],
)
@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE"])
def test_the_least_and_the_largest_numbers_have_mean_and_deviation(summarize_select, values, kind):
    listed = ", ".join(f"'{one}'" for one in values)
    column = summarize_select(f"SELECT unnest([{listed}]::{kind}[]) AS x").columns[0]
    numbers = [float(one) for one in values if math.isfinite(float(one))]
    if kind == "FLOAT":
        numbers = [struct.unpack("f", struct.pack("f", one))[0] for one in numbers]
    if numbers:
        mean = pytest.approx(statistics.fmean(numbers), rel=1e-7, abs=0)
        assert (column.mean, column.stddev) == (
            mean, pytest.approx(statistics.stdev(numbers), rel=1e-11, abs=0),
        )  # fmt: skip
    else:
        assert (column.mean, column.stddev) == (None, None)


def test_the_mean_of_more_different_numbers_has_fewer_digits(monkeypatch):
    values = [SHUFFLED.random() for _ in range(50)]
    monkeypatch.setattr(counting, "MAX_WEIGHED_VALUES", 10)
    column = summarize_values(values)
    assert column.mean == float(f"{math.fsum(values) / 50:.13g}")


def test_a_wide_table_of_long_texts_has_a_bounded_profile():
    row = {f"column{n}": f"{n}" * 1000 for n in range(500)}
    output = summarize_table.run(Input(rows=[row] * 12), FakeContext())
    assert len(output.model_dump_json()) < 1_000_000


@pytest.mark.parametrize("fitting", [counting.MAX_COUNTED_BYTES, 3_000])
def test_counts_agree_with_python_over_several_passes(monkeypatch, fitting):
    monkeypatch.setattr(counting, "MAX_COUNTED_BYTES", fitting)
    monkeypatch.setattr(counting, "_COLUMNS_AT_ONCE", 2)
    rows = [{f"x{n}": SHUFFLED.randrange(3**n) for n in range(1, 8)} for _ in range(500)]
    for column in summarize_table.run(Input(rows=rows), FakeContext()).columns:
        counts = Counter(row[column.name] for row in rows)
        expected = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
        assert top(column) == [(json.dumps(value), count) for value, count in expected]
        assert (column.exact, column.distinct) == (True, len(counts))
        assert sum(column.histogram.counts) == len(rows)
