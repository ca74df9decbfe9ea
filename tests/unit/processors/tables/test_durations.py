"""Durations of Parquet files keep their unit, or the file is refused."""

import base64
import zlib

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tables.arrow_schema import NO_DURATIONS, Durations, durations
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
SAME_NAMES = (
    "eNqNU01Lw0AQ3WxLLOJ1QwI59NKCYKsVlCJeJh8NVdQmKiL0UmJJK2prqg34Gzz4E/w9HvxNzm62TS2t8ZHsTGbfzHsb"
    "2A4EDUaYycwdRjFRmWoSQih/FYWkWEugeYRCHmEjj1CcEYrGwwHR1Uk46D/22CYWKlRX7mR0fn+TWdCoYRrdKjGxv6IS"
    "AxkMi5qlWdVS22RcmJLjbdWoCsFFpjNnnuQws5nvyt9UMmd+/5v5QVcwtS+q0WoJAzFMfQuC4OLmKP05+mdhl+MNLADw"
    "IcUpQAJWBC2ACOxI1CwknPHEBmiLQhYR1/g6ov+BL55oSub7rSsUaWLiXrqiKKgurEAwRSrvTKwmtyZGDMRWmOktIwJH"
    "+Am5P4mWWCcdOS9o+1nVz1p56vHFHko9G87vl/xGS355arnSjyvn+fxcqO9xH062KQ+W6ntr9FEC/d9KqQxEL4978fNr"
    "/6UWjse1XhyPkvK0H0+Go6fy/mF9r94wungJFh9SwNvUwfv6AyZto9U="
)
"""A packed file of Arrow's: durations `d`, `D`, `d`, an integer and a duration without names."""

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
    assert durations(ARROW.encode()) == Durations(
        ("s", "ms", "us", "ns", "n"), {0: 0, 1: 3, 2: 6, 3: 9}, ()
    )
    assert durations(POLARS.encode()) == Durations(("td",), {0: 6}, ())
    assert durations(NESTED.encode()) == Durations(("n", "inner"), {}, (1,))


@pytest.mark.parametrize("damaged", [b"", b"?", b"/////w==", ARROW.encode()[:80]])
def test_a_damaged_schema_tells_of_none(damaged):
    assert durations(damaged) == NO_DURATIONS


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


def test_durations_of_one_name_keep_their_own_units():
    # Names that come twice, in whatever case, are numbered when they are read, not in the schema.
    content = zlib.decompress(base64.b64decode(SAME_NAMES))
    context = FakeContext(uploads={"it": ("t.parquet", content)})
    found = query_table.run(Question(upload="it", sql="FROM data"), context)
    assert [column.name for column in found.columns] == ["d", "D_1", "d_2", "column3", "column4"]
    assert found.rows == [["PT1S", "PT0.002S", "PT0.000003S", 7, "PT0.000000004S"]]
    asked = Question(upload="it", sql="FROM data", options={"types": {"column4": "text"}})
    assert query_table.run(asked, context).rows[0][4] == "PT0.000000004S"


def test_durations_of_a_schema_that_is_not_the_files_are_found_by_their_names(parquet):
    found = query_table.run(
        Question(upload="it", sql="FROM data"), parquet("SELECT 7 AS x, 1500 AS ms", ARROW)
    )
    assert found.rows == [[7, "PT1.5S"]]
