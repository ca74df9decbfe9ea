"""Durations of Parquet files keep their unit, or the file is refused."""

import base64

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tables.arrow_schema import Durations, durations
from processors.tables.convert import Input as Conversion
from processors.tables.convert import convert_table
from processors.tables.query import Input as Question
from processors.tables.query import query_table
from processors.tables.summarize import Input as Asked
from processors.tables.summarize import summarize_table
from tandem.processing import Permanent
from tandem.testing import FakeContext

ARROW = (
    "/////zABAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAUAAADQAAAAlAAAAGgAAA"
    "A8AAAABAAAAFT///8AAAECEAAAABwAAAAEAAAAAAAAAAEAAABuAAAACAAMAAgABwAIAAAAAAAAAUAAAACI////AAAB"
    "EhAAAAAUAAAABAAAAAAAAAACAAAAbnMAAHr///8AAAMAsP///wAAARIQAAAAFAAAAAQAAAAAAAAAAgAAAHVzAACi//"
    "//AAACANj///8AAAESEAAAABgAAAAEAAAAAAAAAAIAAABtcwAABAAEAAQAAAAQABQACAAGAAcADAAAABAAEAAAAAAA"
    "ARIQAAAAGAAAAAQAAAAAAAAAAQAAAHMABgAIAAYABgAAAAAAAAAAAAAA"
)
"""As Arrow writes it: durations `s`, `ms`, `us` and `ns` of these units, and the integer `n`."""
NESTED = (
    "/////9gAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAIAAAB0AAAABAAAAKT///"
    "8AAAENFAAAACAAAAAEAAAAAQAAABgAAAAFAAAAaW5uZXIAAAAEAAQABAAAANT///8AAAESEAAAABgAAAAEAAAAAAAA"
    "AAEAAABkAAYACAAGAAYAAAAAAAIAEAAUAAgABgAHAAwAAAAQABAAAAAAAAECEAAAABwAAAAEAAAAAAAAAAEAAABuAA"
    "AACAAMAAgABwAIAAAAAAAAAUAAAAA="
)
"""As Arrow writes it: the integer `n`, and the struct `inner` of a duration."""
POLARS = (
    "/////28AAAAEAAAA8v///xQAAAAEAAEAAAAKAAsACAAKAAQA+P///wwAAAAIAAgAAAAEAAEAAAAEAAAA7P///zAAAA"
    "AgAAAAGAAAAAESAAAQABIABAAQABEACAAAAAwAAAAAAPr///8CAAYABgAEAAIAAAB0ZAA="
)
"""As polars writes it: the duration `td`, in microseconds."""

VALUES = "(1, 1500, 1, 1000000001, 7), (-90061, -1, 0, -5, 8), (NULL, NULL, NULL, NULL, NULL)"
TABLE = f"SELECT * FROM (VALUES {VALUES}) t(s, ms, us, ns, n)"  # noqa: S608 - our own values
SHOWN = [
    ["PT1S", "PT1.5S", "PT0.000001S", "PT1.000000001S", 7],
    ["-PT90061S", "-PT0.001S", "PT0S", "-PT0.000000005S", 8],
    [None] * 5,
]


@pytest.fixture
def parquet(tmp_path):
    def write(select: str, schema: str) -> FakeContext:
        file = tmp_path / "t.parquet"
        duckdb.sql(
            f"COPY ({select}) TO '{file}' "
            f"(FORMAT parquet, KV_METADATA {{'ARROW:schema': '{schema}'}})"
        )
        return FakeContext(uploads={"it": ("t.parquet", file.read_bytes())})

    return write


def test_a_schema_tells_of_its_durations():
    assert durations(ARROW.encode()) == Durations({"s": 0, "ms": 3, "us": 6, "ns": 9}, ())
    assert durations(POLARS.encode()) == Durations({"td": 6}, ())
    assert durations(NESTED.encode()) == Durations({}, ("inner",))


@pytest.mark.parametrize("damaged", [b"", b"?", b"/////w==", ARROW.encode()[:80]])
def test_a_damaged_schema_tells_of_none(damaged):
    assert durations(damaged) == Durations({}, ())


@given(st.integers(0, len(base64.b64decode(ARROW)) - 1), st.integers(0, 255))
def test_a_schema_with_another_byte_raises_nothing(place, byte):
    message = bytearray(base64.b64decode(ARROW))
    message[place] = byte
    assert isinstance(durations(base64.b64encode(message)), Durations)


def test_a_query_finds_durations_as_text(parquet):
    context = parquet(TABLE, ARROW)
    found = query_table.run(Question(upload="it", sql="SELECT * FROM data"), context)
    assert [list(row) for row in found.rows] == SHOWN


def test_a_profile_and_a_conversion_have_durations_as_text(parquet):
    context = parquet(TABLE, ARROW)
    profile = summarize_table.run(Asked(upload="it"), context)
    assert [column.type for column in profile.columns] == ["VARCHAR"] * 4 + ["INTEGER"]
    convert_table.run(Conversion(upload="it", to="csv"), context)
    [data] = context.saved.values()
    assert data.decode().splitlines()[2] == "-PT90061S,-PT0.001S,PT0S,-PT0.000000005S,8"


def test_a_type_that_is_asked_for_comes_before_the_unit(parquet):
    context = parquet(TABLE, ARROW)
    asked = Question(
        upload="it", sql="SELECT sum(us) AS n FROM data", options={"types": {"us": "number"}}
    )
    assert [list(row) for row in query_table.run(asked, context).rows] == [[1]]


def test_durations_that_are_asked_for_as_text_keep_their_unit(parquet):
    asked = Question(upload="it", sql="SELECT ms FROM data", options={"types": {"ms": "text"}})
    found = query_table.run(asked, parquet(TABLE, ARROW))
    assert found.rows == [["PT1.5S"], ["-PT0.001S"], [None]]


def test_durations_within_nested_values_are_refused(parquet):
    context = parquet("SELECT 1 AS n, {'d': 1} AS inner", NESTED)
    with pytest.raises(Permanent, match="'inner' holds durations within nested values"):
        summarize_table.run(Asked(upload="it"), context)
