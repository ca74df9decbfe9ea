"""What `summarize-table` says of tables that are as they should be."""

import gzip
import json
import math
import statistics
from collections import Counter

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.tables import table
from processors.tables.summarize import ColumnSummary, Input, Output, summarize_table
from tandem.testing import FakeContext

SALES = """\
order,city,amount,on,at,paid
1,Oslo,10.5,2024-02-01,2024-02-01T10:00:00Z,true
2,Bergen,,2024-01-31,2024-02-01T12:00:00+02:00,false
3,Oslo,-4.5,2024-12-24,2024-02-01T12:00:00.25Z,true
4,,30,2024-03-01,,true
"""


def summarize_file(filename: str, content: bytes | str, **source: str) -> Output:
    data = content.encode() if isinstance(content, str) else content
    context = FakeContext(uploads={"it": (filename, data)})
    return summarize_table.run(Input(upload="it", **source), context)


def summarize_rows(rows: list[dict]) -> Output:
    return summarize_table.run(Input(rows=rows), FakeContext())


def column(output: Output, name: str) -> ColumnSummary:
    return next(one for one in output.columns if one.name == name)


def values_of(output: Output, name: str) -> dict:
    """Return a column's figures, without those that are null, and those that others test."""
    elsewhere = {"name", "exact", "unique", "top", "histogram", "lengths", "blanks"}
    return column(output, name).model_dump(exclude_none=True, exclude=elsewhere)


def top_of(output: Output, name: str) -> list[tuple[str, int]]:
    return [(one.value, one.count) for one in column(output, name).top]


@pytest.fixture
def no_small_tables(monkeypatch):
    monkeypatch.setattr(table, "SMALL_FILE_BYTES", 0)


def parquet(tmp_path, select: str) -> bytes:
    path = tmp_path / "made.parquet"
    duckdb.sql(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


class TestFigures:
    def test_integers(self):
        assert values_of(summarize_file("sales.csv", SALES), "order") == {
            "type": "BIGINT", "count": 4, "nulls": 0, "distinct": 4, "min": 1, "max": 4,
            "mean": 2.5, "stddev": pytest.approx(math.sqrt(5 / 3)),
            "q25": 1.75, "median": 2.5, "q75": 3.25,
        }  # fmt: skip

    def test_decimals_with_a_gap(self):
        assert values_of(summarize_file("sales.csv", SALES), "amount") == {
            "type": "DOUBLE", "count": 3, "nulls": 1, "distinct": 3, "non_finite": 0,
            "min": -4.5, "max": 30, "mean": 12, "stddev": pytest.approx(math.sqrt(299.25)),
            "q25": 3, "median": 10.5, "q75": 20.25,
        }  # fmt: skip

    def test_text_with_a_gap(self):
        assert values_of(summarize_file("sales.csv", SALES), "city") == {
            "type": "VARCHAR", "count": 3, "nulls": 1, "distinct": 2,
            "min": "Bergen", "max": "Oslo",
        }  # fmt: skip
        assert top_of(summarize_file("sales.csv", SALES), "city") == [("Oslo", 2), ("Bergen", 1)]

    def test_booleans(self):
        paid = column(summarize_file("sales.csv", SALES), "paid")
        assert paid.type == "BOOLEAN"
        assert [(one.value, one.count) for one in paid.top] == [("true", 3), ("false", 1)]

    def test_dates_and_instants_are_iso_8601_in_utc(self):
        output = summarize_file("sales.csv", SALES)
        on, at = column(output, "on"), column(output, "at")
        assert (on.min, on.max) == ("2024-01-31", "2024-12-24")
        assert (at.min, at.max) == ("2024-02-01T10:00:00Z", "2024-02-01T12:00:00.25Z")
        assert at.distinct == 2  # 10:00Z and 12:00+02:00 are the same instant

    def test_nan_and_infinity_are_counted_apart(self):
        assert values_of(summarize_file("t.csv", "x\nnan\ninf\n-inf\n1.5\n2.5\n\n"), "x") == {
            "type": "DOUBLE", "count": 5, "nulls": 1, "distinct": 5, "non_finite": 3,
            "min": 1.5, "max": 2.5, "mean": 2, "stddev": pytest.approx(math.sqrt(0.5)),
            "q25": 1.75, "median": 2, "q75": 2.25,
        }  # fmt: skip

    def test_a_sum_beyond_a_double_has_its_mean_all_the_same(self):
        summary = column(summarize_rows([{"x": 1.5e308}, {"x": 1.5e308}]), "x")
        assert (summary.max, summary.mean, summary.stddev) == (1.5e308, 1.5e308, 0)
        summary = column(summarize_rows([{"x": 1.5e308}, {"x": -1.5e308}, {"x": 5e-324}]), "x")
        assert (summary.mean, summary.stddev) == (0, 1.5e308)

    def test_integers_beyond_64_bits(self):
        summary = column(summarize_file("t.csv", f"x\n{2**100}\n{2**100}\n"), "x")
        assert (summary.max, summary.mean) == (2**100, float(2**100))

    def test_top_values_are_ten_ties_by_value_and_cut(self):
        words = [f"w{number:02}" for number in range(20)] + ["w07", "x" * 500, "x" * 500, "x" * 500]
        summary = column(summarize_rows([{"w": word} for word in words]), "w")
        assert [(one.value, one.count) for one in summary.top] == [
            ("x" * 100, 3), ("w07", 2), *((f"w{n:02}", 1) for n in (0, 1, 2, 3, 4, 5, 6, 8)),
        ]  # fmt: skip
        assert summary.max == "x" * 100

    def test_every_parquet_type_serialises_to_plain_json(self, tmp_path):
        content = parquet(tmp_path, """SELECT 12.34::DECIMAL(9,2) AS price, [1, 2] AS list,
            {'a': 1} AS nest, 'x'::BLOB AS raw, DATE '2024-01-02' AS day, TIME '10:00' AS clock,
            TIMESTAMP '2024-01-02 03:04:05' AS local, TIMESTAMP_NS '2024-01-02 03:04:05.000000001'
            AS nano, uuid() AS id, NULL::INTEGER AS gap, INTERVAL 1 DAY AS span, 'nan'::FLOAT AS f,
            'infinity'::TIMESTAMP AS forever, TIMESTAMPTZ '290000-01-01' AS far,
            255::UTINYINT AS tiny""")  # fmt: skip
        output = summarize_file("t.parquet", content)
        text = json.dumps(output.model_dump(mode="json"), allow_nan=False)
        minima = {one["name"]: one["min"] for one in json.loads(text)["columns"]}
        assert minima | {"id": ""} == {
            "price": 12.34, "list": None, "nest": None, "raw": None, "day": "2024-01-02",
            "clock": "10:00:00", "local": "2024-01-02T03:04:05", "id": "", "gap": None,
            "nano": "2024-01-02T03:04:05.000000001", "span": None, "f": None,
            "forever": "infinity", "far": "290000-01-01T00:00:00Z", "tiny": 255,
        }  # fmt: skip
        assert {one.name: (one.count, one.distinct) for one in output.columns} == {
            name: (0, 0) if name == "gap" else (1, 1) for name in minima
        }

    def test_large_tables_are_exact_while_their_values_fit(self, no_small_tables):
        lines = "".join(f"{n},v{n % 1000 if n % 3 else 7}\n" for n in range(30_000))
        output = summarize_file("t.csv", "n,v\n" + lines)
        number, text = output.columns
        assert output.exact
        assert (number.min, number.max, number.mean) == (0, 29_999, 14_999.5)
        assert (number.q25, number.median, number.q75) == (7499.75, 14_999.5, 22_499.25)
        assert (number.distinct, number.unique, text.unique) == (30_000, True, False)
        counts = Counter(line.split(",")[1] for line in lines.splitlines())
        expected = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        assert top_of(output, "v") == expected[:10]

    def test_wide_tables_are_profiled_whole(self):
        names = [f"c{n}" for n in range(500)]
        content = ",".join(names) + "\n" + (",".join(["1", "x"] * 250) + "\n") * 400
        output = summarize_file("t.csv", content)
        assert [one.name for one in output.columns] == names
        assert [one.mean for one in output.columns] == [1, None] * 250
        assert {top_of(output, name)[0][1] for name in names} == {400}


class TestFormats:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_csv_delimiters(self, delimiter):
        content = delimiter.join(["a", '"b,b;c\tc|d"']) + "\n" + delimiter.join(["1", "x"]) + "\n"
        assert [one.name for one in summarize_file("t.csv", content).columns] == ["a", "b,b;c\tc|d"]

    @pytest.mark.parametrize("content", [b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n", b"a,b\n1,2\n3,4"])
    def test_csv_of_other_systems(self, content):
        output = summarize_file("t.csv", content)
        assert [(one.name, one.mean) for one in output.columns] == [("a", 2), ("b", 3)]

    def test_csv_values_may_hold_lines_quotes_and_hashes(self):
        output = summarize_file("t.csv", 'a,b\n"x\ny",1\n"say ""x""",2\n#no,3\n')
        assert [one.value for one in output.columns[0].top] == ["#no", 'say "x"', "x\ny"]

    def test_a_type_that_only_the_first_lines_have_is_widened(self):
        output = summarize_file("t.csv", "a,b\n" + "1,2\n" * 50_000 + "x,3\n")
        assert output.rows == 50_001
        assert [one.type for one in output.columns] == ["VARCHAR", "BIGINT"]
        assert output.columns[1].max == 3

    def test_leading_zeros_and_ambiguous_dates_stay_text(self):
        output = summarize_file("t.csv", "zip,day\n00123,01/02/2024\n")
        assert [one.min for one in output.columns] == ["00123", "01/02/2024"]

    def test_csv_with_a_header_only_has_no_rows(self):
        output = summarize_file("t.csv", "a,b\n")
        assert (output.rows, [one.count for one in output.columns]) == (0, [0, 0])

    def test_json_keys_and_types_may_come_late(self):
        output = summarize_file("t.jsonl", '{"a": 1}\n' * 50_000 + '{"a": 1.5, "b": "x"}\n')
        assert (output.columns[0].max, output.columns[1].nulls) == (1.5, 50_000)

    def test_all_formats_agree(self, tmp_path):
        rows = [{"n": 1, "s": "a"}, {"n": 2, "s": None}, {"n": 4, "s": "b"}]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        csv = "n,s\n1,a\n2,\n4,b\n"
        in_parquet = parquet(
            tmp_path, "FROM (VALUES (1::BIGINT, 'a'), (2, NULL), (4, 'b')) AS t(n, s)"
        )
        outputs = [
            summarize_rows(rows),
            summarize_file("t.ndjson", lines),
            summarize_file("T.CSV", csv),
            summarize_file("t.parquet", in_parquet),
            summarize_file("t.csv.gz", gzip.compress(csv.encode())),
            summarize_file("unnamed", gzip.compress(lines.encode())),
            summarize_file("unnamed", csv),
            summarize_file("unnamed", in_parquet),
            summarize_file("t.csv", lines, format="jsonl"),
        ]
        plain = [output.model_dump(exclude={"assumed"}) for output in outputs]
        assert all(output == plain[0] for output in plain)

    def test_names_are_data(self):
        names = ['"; DROP VIEW data; --', "select", "a b", "é", "'", "{0}", "c1", "?"]
        output = summarize_rows([dict.fromkeys(names, 1)])
        assert [one.name for one in output.columns] == names
        csv = ",".join('"' + name.replace('"', '""') + '"' for name in names)
        output = summarize_file("t.csv", f"{csv}\n{','.join('1' * len(names))}\n")
        assert [one.name for one in output.columns] == names


class TestInput:
    @pytest.mark.parametrize(
        ("given_input", "reason"),
        [
            ({}, "give either rows or upload"),
            ({"rows": [{"a": 1}], "upload": "u"}, "give either rows or upload"),
            ({"rows": [{"a": 1}], "format": "csv"}, "format goes with upload"),
            ({"rows": []}, "at least 1 item"),
            ({"rows": [{"a": 1}] * 10_001}, "at most 10000 items"),
            ({"rows": [{}]}, "1 to 500 different columns, not 0"),
            ({"rows": [{f"{r}/{c}": 1 for c in range(300)} for r in range(2)]}, "not 600"),
            ({"rows": [{"a": [1]}]}, "valid"),
            ({"rows": [{"a": math.nan}]}, "finite"),
            ({"rows": [{"": 1}]}, "at least 1 character"),
            ({"upload": "u", "format": "xlsx"}, "'csv', 'jsonl' or 'parquet'"),
            ({"upload": "u", "path": "/etc/passwd"}, "Extra inputs"),
        ],
    )
    def test_says_what_is_wrong(self, given_input, reason):
        with pytest.raises(ValidationError, match=reason):
            Input.model_validate(given_input)


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


class TestProperties:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(finite | st.integers(-(2**53), 2**53) | st.none(), min_size=1, max_size=200))
    def test_numbers_match_pythons_statistics(self, values):
        summary = column(summarize_rows([{"x": value} for value in values]), "x")
        numbers = [value for value in values if value is not None]
        assert (summary.count, summary.nulls) == (len(numbers), len(values) - len(numbers))
        assert summary.distinct == len({float(number) for number in numbers})
        if not numbers:
            return
        close = {"rel": 1e-9, "abs": 1e-9 * max(1, *map(abs, numbers))}
        assert (summary.min, summary.max) == (min(numbers), max(numbers))
        assert summary.mean == pytest.approx(statistics.fmean(numbers), **close)
        assert summary.median == pytest.approx(statistics.median(numbers), **close)
        if len(numbers) > 1:
            quartiles = statistics.quantiles(numbers, n=4, method="inclusive")
            assert [summary.q25, summary.median, summary.q75] == pytest.approx(quartiles, **close)
            assert summary.stddev == pytest.approx(statistics.stdev(numbers), rel=1e-6, abs=1e-6)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text(max_size=8).map(lambda text: f"t{text}"), min_size=1, max_size=60))
    def test_texts_match_pythons_counter(self, words):
        summary = column(summarize_rows([{"x": word} for word in words]), "x")
        expected = sorted(Counter(words).items(), key=lambda entry: (-entry[1], entry[0].encode()))
        assert [(one.value, one.count) for one in summary.top] == expected[:10]
        assert summary.distinct == len(set(words))
