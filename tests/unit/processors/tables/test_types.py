"""The types of text columns: those that all values have, and that keep every value."""

import random
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.factories.tables import opened, rows_of, types_of

INSTANT = "TIMESTAMP WITH TIME ZONE"


def one_column(values: list[str]) -> str:
    return "v\n" + "".join(f"{value}\n" for value in values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-12", "0"], "BIGINT"),
        (["9223372036854775807", "1"], "BIGINT"),
        (["9223372036854775808", "-1"], "HUGEINT"),
        (["9" * 39, "1"], "VARCHAR"),
        (["02134", "10000"], "VARCHAR"),
        (["+47", "12"], "VARCHAR"),
        (["1e3", "2"], "VARCHAR"),
        (["1E5", "2E5"], "VARCHAR"),
        (["0x1F", "2"], "VARCHAR"),
        (["1_000", "2"], "VARCHAR"),
        (["1,000", "2"], "VARCHAR"),
        ([" 5", "6 "], "BIGINT"),
        (["-0", "1"], "DOUBLE"),
        (["1.50", "2"], "DOUBLE"),
        ([".5", "5.", "-.5"], "DOUBLE"),
        (["0.30000000000000004", "1.5"], "DOUBLE"),
        (["1.5e-7", "1e+20", "2e-05"], "DOUBLE"),
        (["007.5", "1.5"], "VARCHAR"),
        (["00", "1"], "VARCHAR"),
        (["1_0.5", "1.5"], "VARCHAR"),
        (["$5", "6"], "VARCHAR"),
        (["50%", "6"], "VARCHAR"),
        (["1.5e400", "1.5"], "VARCHAR"),
        (["1.5e-400", "1.5"], "VARCHAR"),
        (["1" + "0" * 400, "1"], "VARCHAR"),
        (["1234567890123456.78", "0.01"], "DECIMAL(18,2)"),
        (["0.10000000000000001", "1"], "DECIMAL(18,17)"),
        (["9007199254740993", "0.5"], "DECIMAL(17,1)"),
        (["1.5", "1234567890123456.7"], "DECIMAL(17,1)"),
        (["1.5", "1234567890123456.7800"], "DECIMAL(18,2)"),
        (["1.5", "9007199254740.9931"], "DECIMAL(17,4)"),
        (["1.5", "9.529199866759897"], "DECIMAL(16,15)"),
        (["9223372036854775808", "0.5"], "DECIMAL(20,1)"),
        (["144115188075855872", "0.5"], "DECIMAL(19,1)"),
        (["1" + "0" * 20, "0.5"], "DOUBLE"),
        (["1" * 37 + ".25", "1"], "VARCHAR"),
        (["1234567890123456.78", "1.5e-7"], "VARCHAR"),
        (["nan", "inf", "-inf", "1.5"], "DOUBLE"),
        (["inf", "nan"], "VARCHAR"),
        (["1", "NaN"], "DOUBLE"),
        (["true", "false"], "BOOLEAN"),
        (["True", "False", "True"], "BOOLEAN"),
        (["TRUE", "TRUE"], "BOOLEAN"),
        (["true", "False"], "VARCHAR"),
        (["true", "NA"], "VARCHAR"),
        (["NO", "NO"], "VARCHAR"),
        (["T", "F"], "VARCHAR"),
        (["t", "f"], "VARCHAR"),
        (["yes", "no"], "VARCHAR"),
        (["Y", "N"], "VARCHAR"),
        (["1", "true"], "VARCHAR"),
        (["2024-01-05", "1999-12-31"], "DATE"),
        (["2024-1-5", "2024-12-06"], "DATE"),
        (["24-01-05", "24-02-05"], "VARCHAR"),
        (["0978-03-16", "0978-01-04"], "VARCHAR"),
        (["978-3-16", "978-1-4"], "VARCHAR"),
        (["2024-02-30", "2024-01-01"], "VARCHAR"),
        (["2024/01/05", "2024/02/06"], "VARCHAR"),
        (["05.01.2024"], "VARCHAR"),
        (["01/05/2024"], "VARCHAR"),
        (["infinity", "2024-01-01"], "VARCHAR"),
        (["epoch", "2024-01-01"], "VARCHAR"),
        (["2024-01-05 (BC)", "2024-01-01"], "VARCHAR"),
        (["12024-01-05"], "VARCHAR"),
        (["20240105", "20240106"], "BIGINT"),
        (["2024-01-05", "2024-01-05 10:00:00"], "VARCHAR"),
        (["2024-01-05 10:00:00", "2024-01-05T10:00"], "TIMESTAMP"),
        (["2024-01-05 10:00:00.123456"], "TIMESTAMP"),
        (["2024-01-05 10:00:00.123456789", "2024-01-05 10:00:00"], "TIMESTAMP_NS"),
        (["2024-01-05 10:00:00.123456789", "1500-01-05 10:00:00"], "VARCHAR"),
        (["2024-01-05 10:00", "2024-01-05T10:00:00.123456789", "2262-05-05 10:00"], "VARCHAR"),
        (["2024-01-05 10:00", "2024-01-05T10:00:00.123456789", "1677-09-05 10:00"], "VARCHAR"),
        (["2024-01-05 10:00Z", "2024-01-05T10:00:00.123456789Z", "2262-05-05 10:00Z"], "VARCHAR"),
        (["2024-01-05 10:00:00.1234567890"], "VARCHAR"),
        (["2024-01-05 24:00:00"], "VARCHAR"),
        (["2024-01-05 10:00:60"], "VARCHAR"),
        (["2024-01-05 10:00:00,5"], "VARCHAR"),
        (["2024-01-05T10:00:00Z", "2024-01-05 12:00:00+02:00"], INSTANT),
        (["2024-01-05 10:00:00 UTC"], INSTANT),
        (["2024-01-05T10:00:00+0530", "2024-01-05T10:00:00-03"], INSTANT),
        (["2024-01-05T10:00:00.123456789Z", "2024-01-05T10:00Z"], "TIMESTAMPTZ_NS"),
        (["2024-01-05T10:00:00+99:00"], "VARCHAR"),
        (["2024-01-05T10:00:00 CET"], "VARCHAR"),
        (["2024-01-05 10:00:00", "2024-01-05 10:00:00+05:00"], "VARCHAR"),
        (["10:30:00", "23:59:59.5"], "TIME"),
        (["10:30:00.123456789"], "TIME_NS"),
        (["10:30", "11:45"], "VARCHAR"),
        (["25:30:00"], "VARCHAR"),
        (["10:30:00+02:00"], "VARCHAR"),
        (["10:30:00", "2024-01-05"], "VARCHAR"),
        (["5F0E9A3C-1B2D-4C3E-8F90-123456789ABC"], "VARCHAR"),
        (["5f0e9a3c-1b2d-4c3e-8f90-123456789abc"], "VARCHAR"),
        (["1", "2024-01-05"], "VARCHAR"),
        (["", ""], "VARCHAR"),
        (["NA", "NA"], "VARCHAR"),
        (["5", "NA", "NULL", "n/a", "-", "\\N", "#N/A"], "BIGINT"),
        (["2024-01-05", "NA"], "DATE"),
        (["NA", "Oslo"], "VARCHAR"),
    ],
)  # fmt: skip
def test_a_column_gets_the_type_that_keeps_all_its_values(values, expected):
    # The second time the other values come after the first rows, from which nothing may be guessed.
    assert types_of("t.csv", _quoted(values)) == {"v": expected}
    for most in (values[0], values[-1]):
        late = [most] * 3000 + values
        assert types_of("t.csv", _quoted(late)) == {"v": expected}


def _quoted(values: list[str]) -> str:
    return one_column([f'"{value}"' if "," in value else value for value in values])


WORDS = {
    "integers": [str(n) for n in range(-5, 40)] + ["9223372036854775807", str(2**70)],
    "decimals": ["1.5", "0.25", "-3.125", "100.00", "1234567890123456.78", "0.1"],
    "leading zeros": ["007", "02134", "10000", "007.5", "0"],
    "exponents": ["1e3", "1.5e-7", "1e+20", "2E5", "1.5E300"],
    "dates": ["2024-01-05", "1999-12-31", "2024-1-5", "0978-03-16", "2024/01/05"],
    "moments": ["2024-01-05 10:00:00", "2024-01-05T10:00:00.5", "2024-01-05 10:00:00.123456789"],
    "instants": ["2024-01-05T10:00:00Z", "2024-01-05 12:00:00+02:00", "2024-01-05 10:00:00"],
    "times": ["10:30:00", "10:30", "10:30:00.123456789"],
    "booleans": ["true", "false", "True", "FALSE"],
    "text": ["a", "NA", "Oslo", "-", "1", "inf", "nan", " 5", "5 "],
}
COLUMNS = st.sampled_from(sorted(WORDS)).flatmap(
    lambda kind: st.lists(
        st.sampled_from(WORDS[kind]) | st.sampled_from(["", *WORDS[kind]]) | st.just("7")
        if kind in {"integers", "decimals", "leading zeros"}
        else st.sampled_from(["", *WORDS[kind]]),
        min_size=1,
        max_size=12,
    )
)


@settings(max_examples=40, deadline=None)
@given(COLUMNS, COLUMNS, st.randoms(use_true_random=False))
def test_types_and_values_do_not_depend_on_the_order_of_the_rows(first, second, chance):
    rows = [(a, b) for a, b in zip(first, second, strict=False)]
    shuffled = chance.sample(rows, len(rows))
    known = [_read(rows), _read(shuffled), _read(rows[:1] * 1500 + shuffled)]
    assert known[0] == known[1]
    assert known[0][0] == known[2][0]


def _read(rows: list[tuple[str, str]]) -> tuple[dict[str, str], list[tuple]]:
    content = "a,b\n" + "".join(f"{a},{b}\n" for a, b in rows)
    with opened("t.csv", content) as table:
        found = table.database.query("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM data")
        types = {column.name: column.type for column in table.columns}
    return types, sorted(found, key=repr)


@settings(max_examples=40, deadline=None)
@example(["nan", " 5"])
@given(COLUMNS)
def test_every_value_can_be_recovered(values):
    content = one_column(values)
    [column_type] = types_of("t.csv", content).values()
    for text, (value,) in zip(values, rows_of("t.csv", content), strict=True):
        assert recovered(text, value, column_type), (text, value, column_type)


def recovered(text: str, value: object, column_type: str) -> bool:  # noqa: PLR0911
    """Return whether a value says what its text says."""
    if value is None:
        return text == "" or (column_type not in {"VARCHAR", "BOOLEAN"} and text in {"NA", "-"})
    match column_type.partition("(")[0]:
        case "BIGINT" | "HUGEINT":
            return str(value) == text.strip()
        case "DOUBLE" | "DECIMAL":
            number = Decimal(text.strip())
            found = Decimal(str(value))
            return found == number or (found.is_nan() and number.is_nan())
        case "BOOLEAN":
            return str(value).lower() == text.lower()
        case "DATE":
            year, month, day = map(int, text.split("-"))
            return date.fromisoformat(str(value)) == date(year, month, day)
        case "TIMESTAMP" | "TIMESTAMP_NS" | "TIME" | "TIME_NS":
            return str(value).rstrip("0").rstrip(".") == text.replace("T", " ").rstrip("0").rstrip(
                "."
            )
        case "TIMESTAMP WITH TIME ZONE":
            return datetime.fromisoformat(str(value) + ":00") == datetime.fromisoformat(text)
    return value == text


def test_a_late_value_decides_as_an_early_one_does():
    early = "12.5\n" + "10\n" * 25_000
    late = "10\n" * 25_000 + "12.5\n"
    for content in (early, late):
        with opened("t.csv", "amount\n" + content) as table:
            assert [one.type for one in table.columns] == ["DOUBLE"]
            assert table.database.query("SELECT sum(amount), max(amount) FROM data") == [
                (250_012.5, 12.5)
            ]


@pytest.mark.parametrize(
    "number", ["9007199254740993", "90071992547409.931", "9007199254740.9931", "-9007199254740993"]
)
def test_numbers_of_json_that_a_double_just_fails_to_hold_keep_their_digits(number):
    for lines in (["0.5", number], [number, "0.5"]):
        content = "".join(f'{{"v": {value}}}\n' for value in lines)
        [column_type] = types_of("t.jsonl", content).values()
        assert column_type.startswith("DECIMAL")
        assert Decimal(number) in {value for (value,) in rows_of("t.jsonl", content)}


def test_the_first_of_several_values_that_widened_is_named():
    with opened("t.csv", "v\n" + "1\n" * 2000 + "x\n1\ny\n") as table:
        [widened] = table.assumed.widened
        assert (widened.row, widened.value) == (2001, "x")


@pytest.mark.parametrize("offset", ["", "Z"])
def test_nanoseconds_and_a_far_moment_are_text_however_late_they_come(offset):
    late = ["1500-01-01 00:00:00" + offset, "2024-01-05 10:00:00.123456789" + offset]
    values = ["2024-01-05 10:00:00" + offset] * 3000 + late
    assert types_of("t.csv", one_column(values)) == {"v": "VARCHAR"}
    assert [text for (text,) in rows_of("t.csv", one_column(values))[-2:]] == late


def test_a_date_is_never_shown_as_the_file_writes_it():
    with opened("t.csv", "d\n2024-1-5\n") as table:
        assert table.database.query("SELECT CAST(d AS VARCHAR), d::VARCHAR || '!' FROM data") == [
            ("2024-01-05", "2024-01-05!")
        ]


class TestWidened:
    """What made a type wider than the first value needs comes back."""

    @pytest.mark.parametrize(
        ("start", "late", "column_type"),
        [
            ("10", "12.5", "DOUBLE"),
            ("10000", "02134", "VARCHAR"),
            ("2024-01-05 10:00:00", "2024-01-05 10:00:00+05:00", "VARCHAR"),
            ("0.5", "007.5", "VARCHAR"),
            ("7", "1e3", "VARCHAR"),
            ("2024-01-05", "infinity", "VARCHAR"),
            ("1", "9223372036854775808", "HUGEINT"),
            ("0.5", "1234567890123456.78", "DECIMAL(18,2)"),
            ("2024-01-05 10:00:00", "2024-01-05 10:00:00.123456789", "TIMESTAMP_NS"),
            ("true", "True", "VARCHAR"),
        ],
    )
    def test_the_row_and_the_value_are_named(self, start, late, column_type):
        content = "n,v\n" + f"1,{start}\n" * 2500 + f"1,{late}\n" + f"1,{start}\n" * 3
        with opened("t.csv", content) as table:
            [widened] = table.assumed.widened
        assert widened.model_dump() == {
            "column": "v", "type": column_type, "row": 2501, "value": late,
        }  # fmt: skip

    def test_a_value_is_cut(self):
        with opened("t.csv", "v\n1\n" + "x" * 500 + "\n") as table:
            assert [one.value for one in table.assumed.widened] == ["x" * 100]

    @pytest.mark.parametrize("content", ["v\nx\n1\n", "v\n1.5\n2\n", "v\n1\n\n2\n", "v\n1\nNA\n"])
    def test_what_is_as_its_first_value_is_not_named(self, content):
        with opened("t.csv", content) as table:
            assert table.assumed.widened == []


def test_many_columns_of_all_kinds_are_told_apart_together():
    kinds = [word for words in WORDS.values() for word in words if word]
    chance = random.Random(5)  # noqa: S311
    rows = [[chance.choice([kind, kind, ""]) for kind in kinds] for _ in range(50)]
    rows.append(kinds)
    header = ",".join(f"c{number}" for number in range(len(kinds)))
    content = header + "\n" + "".join(",".join(row) + "\n" for row in rows)
    together = list(types_of("t.csv", content).values())
    alone = [types_of("t.csv", one_column([kind])).popitem()[1] for kind in kinds]
    assert together == alone
