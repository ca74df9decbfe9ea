"""What compares the table processors with pandas finds what differs, and lets nothing pass."""

import csv
from io import StringIO
from pathlib import Path

import pytest

from tandem_tools.check.tables.changed_values import changed_fields, changed_records
from tandem_tools.check.tables.differences import (
    NAMES,
    TABLE,
    Difference,
    read_table,
    unexplained,
    write_table,
)
from tandem_tools.check.tables.figures import Column, differing, moment

NUMBERS = Column("number", 1, 3, 1.0, 4.0, 2.5, 7.5)
WORD = "NA is text"
FOUND = Difference("cars/cars.csv", "maker", "nulls", WORD)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (NUMBERS, ()),
        (Column("number", 1, 3, 1.0, 4.0, 2.5 + 1e-12, 7.5 - 1e-12), ()),
        (Column("number", 1, 3, 1.0, 4.0, 2.6, 7.8), ("mean", "sum")),
        (Column("number", 0, 4, 1.0, 4.0, 2.5, 7.5), ("nulls", "distinct")),
        (Column("number", 1, 3, 1.0, 5.0, 2.5, 7.5), ("max",)),
        (Column("number", 1, 3, None, 4.0, 2.5, None), ("min", "sum")),
        (Column("text", 1, 3, "1", "4"), ("kind", "min", "max", "mean", "sum")),
    ],
)
def test_the_figures_that_differ_are_named(other: Column, differs: tuple[str, ...]) -> None:
    assert differing(NUMBERS, other) == differs


def test_a_sum_near_zero_may_have_the_error_of_its_terms_and_no_more() -> None:
    one = Column("number", 0, 2, -1e9, 1e9, 0.0, 0.0)
    assert differing(one, Column("number", 0, 2, -1e9, 1e9, 1e-8, 1e-8)) == ()
    assert differing(one, Column("number", 0, 2, -1e9, 1e9, 10.0, 20.0)) == ("mean", "sum")


def test_dates_are_text_for_pandas_and_numbers_are_not() -> None:
    dates = Column("moment", 0, 1, "2024-01-05", "2024-01-05")
    assert differing(dates, Column("text", 0, 1, "2024-01-05", "2024-01-05")) == ()
    times = [f"2024-01-05{between}10:00:00" for between in "T "]
    one, other = (
        Column(kind, 0, 1, time, time) for kind, time in zip(("moment", "text"), times, strict=True)
    )
    assert differing(one, other) == ()
    assert "kind" in differing(dates, Column("boolean", 0, 1, "2024-01-05", "2024-01-05"))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2024-01-05", "2024-01-05"),
        ("2024-01-05 10:00:00.1200", "2024-01-05T10:00:00.12"),
        ("2024-01-05T10:00:00.000+00:00", "2024-01-05T10:00:00Z"),
    ],
)
def test_moments_are_compared_as_a_profile_writes_them(text: str, written: str) -> None:
    assert moment(text) == written


@pytest.mark.parametrize(
    ("found", "written", "wrong"),
    [
        ([FOUND], [FOUND], []),
        ([FOUND], [], ["cars/cars.csv, 'maker': nulls differ"]),
        ([FOUND], [Difference("cars/*", "maker", "nulls", WORD)], []),
        ([FOUND], [Difference("boats/*", "maker", "nulls", WORD)], ["differ", "no longer"]),
        ([FOUND], [Difference("cars/cars.csv", "maker", "max", WORD)], ["differ", "no longer"]),
        ([FOUND], [Difference("cars/cars.csv", "maker", "nulls", "a guess")], ["differ", "no"]),
        ([], [FOUND], ["no longer"]),
    ],
)
def test_a_difference_is_written_down_with_its_reason_as_long_as_it_is_there(
    found: list[Difference], written: list[Difference], wrong: list[str]
) -> None:
    lines = unexplained(found, written)
    assert len(lines) == len(wrong)
    assert all(part in line for part, line in zip(wrong, lines, strict=True))


def test_a_difference_without_a_reason_is_wrong_even_when_it_is_written_down() -> None:
    bare = Difference("cars/cars.csv", "maker", "nulls", "")
    assert unexplained([bare], [bare]) == ["cars/cars.csv, 'maker': nulls differ"]


def test_names_are_written_once_for_a_package(tmp_path: Path) -> None:
    table = tmp_path / "differences.csv"
    names = [Difference(f"cars/{n}.csv", "", "names", NAMES) for n in range(3)]
    write_table([*names, FOUND], table)
    assert read_table(table) == [Difference("cars/*", "", "names", NAMES), FOUND]
    assert unexplained([*names, FOUND], read_table(table)) == []


def test_every_difference_that_is_written_down_has_a_reason_and_none_comes_twice() -> None:
    lines = read_table(TABLE)
    assert lines
    assert all(one.reason for one in lines)
    assert lines == sorted(set(lines))


def csv_of(*rows: tuple[str, ...]) -> bytes:
    written = StringIO()
    csv.writer(written).writerows([("n", "t", "d", "b"), *rows])
    return written.getvalue().encode()


BEFORE = ("1.50", "NA", "2024-01-05 10:00:00", "no")


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (("1.5", "NA", "2024-01-05T10:00:00", "false"), []),
        (("1.49", "NA", "2024-01-05T10:00:00", "false"), ["'1.50' became '1.49'"]),
        (("", "NA", "2024-01-05T10:00:00", "false"), ["'1.50' became ''"]),
        (("1.5", "", "2024-01-05T10:00:00", "false"), ["'NA' became ''"]),
        (("1.5", "NA", "2024-01-05T10:00:01", "false"), ["became '2024-01-05T10:00:01'"]),
        (("1.5", "NA", "2024-01-05T10:00:00", "true"), ["'no' became 'true'"]),
    ],
)
def test_a_changed_field_is_found(after: tuple[str, ...], changed: list[str]) -> None:
    found = list(
        changed_fields(
            csv_of(BEFORE, BEFORE),
            csv_of(("1.5", "NA", "2024-01-05T10:00:00", "false"), after),
            ["n", "t", "d", "b"],
            ["number", "text", "moment", "boolean"],
        )
    )
    assert len(found) == len(changed)
    assert all(part in line for part, line in zip(changed, found, strict=True))


def test_a_digit_beyond_a_double_is_a_change() -> None:
    before, after = b"n\n1234567890123456.78\n", b"n\n1234567890123456.8\n"
    assert len(list(changed_fields(before, after, ["n"], ["number"]))) == 1


def test_a_row_too_few_is_found() -> None:
    assert list(changed_fields(b"n\n1\n2\n", b"n\n1\n", ["n"], ["number"])) == [
        "csv has 1 rows and not 2"
    ]


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (b'{"a": 1, "o": {"b": "2024-01-05T00:00:00"}}\n', 0),
        (b'{"a": 1, "o": {"b": null}}\n', 1),
        (b'{"a": 2, "o": {"b": "2024-01-05T00:00:00"}}\n', 1),
        (b'{"a": 1}\n', 1),
        (b"", 1),
    ],
)
def test_a_changed_object_is_found(lines: bytes, wrong: int) -> None:
    before = b'[{"a": 1.0, "o": {"b": "2024-01-05 00:00:00"}}]'
    assert len(list(changed_records(before, lines))) == wrong
