"""What `summarize-table` says of tables that are not as they should be."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import processors
from processors.tables import database as databases
from processors.tables.convert import Input as Conversion
from processors.tables.convert import convert_table
from processors.tables.database import open_database
from processors.tables.summarize import Input, Output, summarize_table
from processors.tables.texts import text_file
from tandem.processing import Permanent
from tandem.processing.catalogue import installed
from tandem.processing.context import Abandoned
from tandem.testing import FakeContext


def summarize(filename: str, content: bytes) -> Output:
    return summarize_table.run(Input(upload="it"), FakeContext(uploads={"it": (filename, content)}))


def reason(filename: str, content: bytes) -> str:
    with pytest.raises(Permanent) as refused:
        summarize(filename, content)
    return refused.value.reason


@pytest.fixture(scope="module")
def parquet(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("made") / "t.parquet"
    duckdb.sql(f"COPY (SELECT i, md5(i::VARCHAR) AS h FROM range(50000) r(i)) TO '{path}'")  # noqa: S608
    return path.read_bytes()


LONG = b"1,2\n" * 50_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"\n\n,\n", "must name the columns"),
        (b"a,b\ncaf\xe9,1\n", "not UTF-8"),
        (b"a,b\n" + LONG + b"caf\xe9,1\n", "not UTF-8"),
        (b"a,b\n" + LONG * 10 + b"caf\xe9,1\n", "not UTF-8 text (line 500002)"),
        (
            "a,b\n1,2\n".encode("utf-16-le"),
            "looks like UTF-16, so give options.encoding as utf-16-le",
        ),
        (
            "a,b\n1,é\n".encode("utf-16-le"),
            "looks like UTF-16, so give options.encoding as utf-16-le",
        ),
        (
            "a,b\n1,é\n".encode("utf-16-be"),
            "looks like UTF-16, so give options.encoding as utf-16-be",
        ),
        ("имя;цена\r\nЖ;5\r\n".encode("utf-16-le"), "options.encoding as utf-16-le"),
        ("a,b\n1,é\n".encode("utf-16-be") * 3000, "options.encoding as utf-16-be"),
        ("a,Ø\n1,ß\n".encode("utf-16-be"), "it looks like UTF-16, so give options.encoding"),
        (b"a,b\n1,2\n3\n4,5\n", "a line has 1 columns where the first has 2 (line 3)"),
        (b"a,b\n1,2\n3,4,5\n", "a line has 3 columns where the first has 2 (line 3)"),
        (b"a,b\n" + LONG + b"3\n" + LONG, "a line has 1 columns where the first has 2"),
        (b'a,b\n"x,2\n3,4\n', "a quoted value does not end (line 2)"),
        (b"a,b\n#1,2\n3,4\n#x\n", "a line has 1 columns where the first has 2 (line 4)"),
        (b"a\n" + b"x" * 5_000_000 + b"\n", "a line is too long (line 2)"),
        (b",".join(b"column%d" % n for n in range(100_000)) + b"\n1\n", "more than 500 columns"),
        (b"x" * 2_000_000, "the first line of the CSV file, which names the columns"),
        (b"x" * 300 + b"\n1\n", "longer than 256 characters"),
    ],
)
def test_bad_csv_is_refused_with_the_reason(content, expected):
    assert expected in reason("t.csv", content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1}\n5\n', "record 2 is not a JSON object"),
        (b'{"a": 1}\nnull\n', "record 2 is not a JSON object"),
        (b'[{"a": 1}, 5]\n', "record 2 is not a JSON object"),
        (b'{"a": 1}\n' * 60_000 + b'"x"\n', "record 60001 is not a JSON object"),
        (b'{"a": 1}\n{"a":\n', "not valid JSON"),
        (b'{"a": 1}\n{"a": "caf\xe9"}\n', "not UTF-8"),
        (b'{"a": 1, "a": 2}\n', "the same key twice"),
        (b"{}\n{}\n", "1 to 500 different keys"),
        (b'{"": 1}\n', "none of them empty"),
        (b'{"a\\u0000b": 1}\n', "the name of a column has a NUL character"),
        (b"\n\n", "1 to 500 different keys"),
        (json.dumps(dict.fromkeys(map(str, range(501)), 1)).encode(), "more than 500 columns"),
        (b"".join(b'{"k%d": 1}\n' % n for n in range(100_000)), "more than 500 columns"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested too deeply"),
    ],
)
def test_bad_json_lines_are_refused_with_the_reason(content, expected):
    assert expected in reason("t.jsonl", content)


@pytest.mark.parametrize(
    ("filename", "first", "second", "expected"),
    [
        (
            "t.csv",
            b"3\n",
            b"caf\xe9,1\n",
            "a line has 1 columns where the first has 2 (line 500002)",
        ),
        ("t.csv", b"caf\xe9,1\n", b"3\n", "the file is not UTF-8 text (line 500002)"),
        ("t.csv", b"3\n", b"1,2\r\n", "a line has 1 columns where the first has 2 (line 500002)"),
        ("t.jsonl", b"5\n", b"{x\n", "record 500001 is not a JSON object"),
        ("t.jsonl", b"{x\n", b"5\n", "a line is not valid JSON (line 500001)"),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', b"{x\n", "a line is not valid JSON (line 1000002)"),
    ],
)
def test_of_two_faults_the_same_is_named_in_every_run(filename, first, second, expected):
    start, line = (b"a,b\n", b"1,2\n") if filename == "t.csv" else (b"", b'{"a": 1}\n')
    content = start + line * 500_000 + first + line * 500_000 + second
    assert [reason(filename, content).partition(";")[0] for _ in range(2)] == [expected] * 2


def test_parquet_cut_short_or_damaged_is_refused(parquet):
    damaged = bytearray(parquet)
    damaged[1000:3000] = b"\xff" * 2000
    for content in (
        parquet[: len(parquet) // 2],
        parquet[:1000] + parquet[-5000:],
        bytes(damaged),
        b"PAR1",
        b"PAR1" + b"\xff" * 50 + b"\xff\xff\x00\x00PAR1",
    ):
        assert "damaged, or is not of its format" in reason("t.parquet", content)


def test_parquet_with_too_many_columns_is_refused(tmp_path):
    columns = ", ".join(f"1 AS c{n}" for n in range(501))
    duckdb.sql(f"COPY (SELECT {columns}) TO '{tmp_path}/t.parquet'")
    content = (tmp_path / "t.parquet").read_bytes()
    assert reason("t.parquet", content) == "the table has more than 500 columns"


@pytest.mark.parametrize("cut", [10, 5000])
def test_gzip_cut_short_is_refused(cut):
    content = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(5000)))
    assert reason("t.csv.gz", content[:cut]) == "the gzip file is damaged or cut short"


@pytest.mark.parametrize("content", [b"a,b\n1,\x00\n", b"a,b\n1,x\x00y\n", b"a,b\n\x00,1\n"])
def test_a_few_nul_characters_make_no_utf_16(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert text_file(path, content, None).start == content.decode()


def test_a_decompression_bomb_is_refused_early():
    bomb = gzip.compress(b"a\n" + b"0\n" * (150 << 20), 1)
    started = time.monotonic()
    assert reason("t.csv.gz", bomb) == "the gzip file holds more than 256 MiB"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("filename", "content", "expected"),
    [
        ("t.parquet", b"a,b\n1,2\n", "damaged, or is not of its format"),
        ("t.jsonl", b"a,b\n1,2\n", "the file is not JSON, and its name or `format` says so"),
        ("t.json", b"name,age\nAda,36\n", "give `format` as csv"),
        ("t.jsonl", b"12\n13\n", "record 1 is not a JSON object"),
        ("t.json", b"nan\n", "not JSON"),
        ("t.csv", b"PAR1" + b"\x00\xff" * 100, "is Parquet, and is damaged"),
        ("t.json", b'"a","b"\n1,2\n', "give `format` as csv"),
        ("t.json", b'"a b";c\n1;2\n', "give `format` as csv"),
        ("t.json", b'"x"\n', "record 1 is not a JSON object"),
        ("t.json", b"null\n", "record 1 is not a JSON object"),
        ("t.csv", gzip.compress(gzip.compress(b"a\n1\n", mtime=0), mtime=0), "gzip twice"),
    ],
)
def test_a_wrong_name_is_refused_with_the_reason(filename, content, expected):
    assert expected in reason(filename, content)


@pytest.mark.parametrize(
    ("filename", "start", "expected"),
    [
        ("t.csv", b'a,b\n1,"', "a line is too long (line 2)"),
        ("t.csv", b"a\n", "a line is too long (line 2)"),
        ("t.csv", b"", "the first line of the CSV file, which names the columns"),
        ("t.jsonl", b'{"a": "', "a line is too long"),
    ],
)
def test_a_row_of_a_hundred_megabytes_is_refused_at_once(filename, start, expected):
    started = time.monotonic()
    assert expected in reason(filename, start + b"x" * 100_000_000)
    assert time.monotonic() - started < 10


@pytest.fixture(scope="module")
def parquet_bomb(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("made") / "t.parquet"
    duckdb.sql(f"COPY (SELECT repeat('x', 100000) AS a FROM range(100000)) TO '{path}'")  # noqa: S608
    return path.read_bytes()


def test_a_few_bytes_that_stand_for_gigabytes_end_in_time_and_for_good(parquet_bomb, monkeypatch):
    assert len(parquet_bomb) < 1 << 20
    monkeypatch.setattr("processors.tables.database.TABLE_SECONDS", 1.0)
    started = time.monotonic()
    # Which of its bounds it meets first depends on the machine.
    assert reason("t.parquet", parquet_bomb) in {
        "the table takes longer than 1 s",
        "the table needs more than the 384MiB that a task may use",
    }
    assert time.monotonic() - started < 15


def test_tables_end_for_good_before_their_attempt_does():
    for name in ("summarize-table", "convert-table"):
        assert installed()[name].time_limit_seconds > databases.TABLE_SECONDS


def test_one_value_larger_than_memory_is_refused(tmp_path):
    duckdb.sql(f"COPY (SELECT repeat('x', 500000000) AS a) TO '{tmp_path}/t.parquet'")
    content = (tmp_path / "t.parquet").read_bytes()
    assert "needs more than the 384MiB" in reason("t.parquet", content)


def test_no_reason_has_a_path_or_a_value(parquet):
    secret = b"s3cr3t"
    for filename, content in (
        ("t.csv", b"a,b\n1,2\n" + secret + b"\n"),
        ("t.csv", b"a,b\n1,2\n" + secret + b"\xff,1\n"),
        ("t.jsonl", b'{"a": 1}\n{' + secret + b"\n"),
        ("t.jsonl", b'{"a": 1}\n"' + secret + b'"\n'),
        ("t.jsonl", b'{"' + secret + b'": 1, "' + secret + b'": 2}\n'),
        ("t.parquet", parquet[:9000]),
    ):
        text = reason(filename, content)
        assert "s3cr3t" not in text
        assert "/" not in text


def test_suffixes_that_look_like_patterns_stay_names():
    assert summarize("t.*", b"a\n1\n").rows == 1
    assert summarize("t.[ab]{c,d}", b"a\n1\n").rows == 1


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["t.csv", "t.jsonl", "t.parquet", "unnamed"]),
    st.binary(max_size=200)
    | st.text('ab,;"\n\r{}:[]1.e-# ', max_size=200).map(str.encode)
    | st.binary(max_size=100).map(lambda data: b"PAR1" + data + b"PAR1")
    | st.binary(max_size=100).map(lambda data: b"\x1f\x8b" + data),
)
def test_any_bytes_give_a_summary_or_a_reason(filename, content):
    try:
        said = json.dumps(summarize(filename, content).model_dump(mode="json"), allow_nan=False)
    except Permanent as refused:
        said = refused.reason
    assert "Traceback" not in said
    assert gettempdir() not in said
    assert "\n" not in said


class TestDatabase:
    @pytest.fixture
    def database(self, tmp_path):
        file = tmp_path / "table"
        file.write_text("a\n1\n")
        with open_database(file, tmp_path / "spill", FakeContext()) as database:
            yield database

    def test_reads_its_own_file(self, database):
        assert database.query("FROM read_csv(getvariable('file'))") == [(1,)]

    @pytest.mark.parametrize(
        "sql",
        [
            "FROM read_csv('/etc/passwd')",
            "FROM read_text('/etc/hostname')",
            "FROM glob('/tmp/*')",
            "FROM read_csv('https://example.com/x.csv')",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "ATTACH '/tmp/x.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
            "SET threads = 64",
        ],
    )
    def test_reaches_nothing_else(self, database, sql):
        with pytest.raises(Permanent):
            database.query(sql)

    @pytest.mark.parametrize(("pool", "cores", "threads"), [(3, 8, 3), (5, 2, 2), (1, 2, 1)])
    def test_threads_are_bounded_by_pool_and_processors(
        self, tmp_path, monkeypatch, pool, cores, threads
    ):
        monkeypatch.setattr("os.process_cpu_count", lambda: cores)
        with open_database(tmp_path / "none", tmp_path, FakeContext(threads=pool)) as database:
            assert database.query("SELECT current_setting('threads')") == [(threads,)]

    def test_too_much_memory_is_said(self, database):
        with pytest.raises(Permanent, match="needs more than the 384MiB"):
            database.query("SELECT list(range) FROM range(200000000)")


class TestCancellation:
    def test_a_cancelled_attempt_stops_in_the_middle_of_a_query(self, tmp_path):
        context = FakeContext()
        asked = iter([False, False])
        context.cancelled = lambda: next(asked, True)
        started = time.monotonic()
        with (
            open_database(tmp_path / "none", tmp_path, context) as database,
            pytest.raises(Abandoned),
        ):
            database.query("SELECT count(*) FROM range(10000000) a, range(10000000) b "
                           "WHERE a.range % 7 = b.range % 3")  # fmt: skip
        assert time.monotonic() - started < 10

    def test_a_cancelled_attempt_does_not_start(self):
        context = FakeContext(uploads={"it": ("t.csv", b"a\n1\n")})
        context.cancelled = lambda: True
        with pytest.raises(Abandoned):
            summarize_table.run(Input(upload="it"), context)


def test_an_unknown_upload_is_permanent():
    with pytest.raises(Permanent, match="no upload"):
        summarize_table.run(Input(upload="none"), FakeContext())


def test_duckdb_is_not_imported_with_the_processors():
    functions = str(Path(processors.__file__).parents[1])
    code = (
        "import sys\n"
        "from tandem.processing.catalogue import installed\n"
        "assert 'summarize-table' in installed()\n"
        "assert 'duckdb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": functions})  # noqa: S603


def test_a_text_of_parquet_that_is_not_utf_8_is_said_to_be_one(tmp_path):
    file = tmp_path / "t.parquet"
    select = "SELECT 'ab\u00e5cd' AS a FROM range(3)"
    duckdb.sql(f"COPY ({select}) TO '{file}' (COMPRESSION uncompressed)")
    content = file.read_bytes().replace("å".encode(), b"\xff\xfe")
    assert reason("t.parquet", content) == "a text in it is not UTF-8: write the column as bytes"


def nested_lists(depth: int, leaf: str) -> bytes:
    """Return JSON Lines with one value that lies so deep in lists."""
    return b'{"a":' + b"[" * depth + leaf.encode() + b"]" * depth + b"}\n"


class TestListsInLists:
    """DuckDB plans lambdas within lambdas in exponential time, which no interrupt ends."""

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize(
        ("depth", "leaf", "expected"),
        [
            (16, "1", "BIGINT" + "[]" * 16),
            (4, '1, "x"', "JSON" + "[]" * 4),
            (5, '1, "x"', "JSON" + "[]" * 4),
            (17, "1", "JSON" + "[]" * 4),
            (100, "1", "JSON" + "[]" * 4),
        ],
    )
    def test_of_json_stay_json_where_they_are_deep(self, depth, leaf, expected):
        content = nested_lists(depth, leaf)
        profile = summarize("t.jsonl", content)
        assert profile.columns[0].type == expected

        context = FakeContext(uploads={"it": ("t.jsonl", content)})
        convert_table.run(Conversion(upload="it", to="jsonl"), context)
        assert json.loads(context.saved["table.jsonl"]) == json.loads(content)

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("DECIMAL(9,2)" + "[]" * 6, "has lists within lists, more than 5 deep"),
            ("STRUCT(x DATE, m MAP(INTEGER, TIMESTAMP[]))" + "[]" * 4, "more than 5 deep"),
            ("INTEGER" + "[]" * 17, "has lists within lists, more than 16 deep"),
            ("STRUCT(x INTEGER" + "[]" * 9 + ")" + "[]" * 8, "more than 16 deep"),
        ],
    )
    def test_of_parquet_are_refused_where_they_are_deep(self, tmp_path, kind, expected):
        file = tmp_path / "t.parquet"
        duckdb.sql(f"COPY (SELECT NULL::{kind} AS a) TO '{file}'")
        assert expected in reason("t.parquet", file.read_bytes())

    @pytest.mark.parametrize(
        "kind",
        ["DECIMAL(9,2)" + "[]" * 5, "STRUCT(x INTEGER" + "[]" * 8 + ", y VARCHAR)" + "[]" * 8],
    )
    def test_of_parquet_are_read_up_to_there(self, tmp_path, kind):
        file = tmp_path / "t.parquet"
        duckdb.sql(f"COPY (SELECT NULL::{kind} AS a) TO '{file}'")
        assert summarize("t.parquet", file.read_bytes()).columns[0].nulls == 1
