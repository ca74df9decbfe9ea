"""What `query-table` answers, and how it says what is wrong with a query."""

import json
import math
import signal
import subprocess
import sys
import time
from threading import Event, Lock, Thread

import pytest
from pydantic import ValidationError

from processors.tables import query_process as process
from processors.tables import query_runner as runner
from processors.tables.query import Input, Output, query_table
from tandem.processing import Permanent
from tandem.processing.context import Abandoned
from tandem.testing import FakeContext

ROWS = [
    {"city": "Oslo", "amount": 12.5},
    {"city": "Bergen", "amount": 7.0},
    {"city": "Oslo", "amount": 30.0},
    {"city": None, "amount": None},
]


ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"


def query(sql: str, context: FakeContext | None = None, **more) -> Output:
    source = more if {"upload", "uploads"} & set(more) else {"rows": ROWS} | more
    return query_table.run(Input(sql=sql, **source), context or FakeContext())


def value(expression: str):
    [[found]] = query(f"SELECT {expression}").rows
    return found


def reason(sql: str) -> str:
    with pytest.raises(Permanent) as refused:
        query(sql)
    return refused.value.reason


class TestAnswer:
    def test_columns_and_rows_in_the_querys_order(self):
        output = query("SELECT city, sum(amount) AS total FROM data GROUP BY city ORDER BY total")
        assert output.model_dump(exclude={"assumed"}) == {
            "columns": [{"name": "city", "type": "VARCHAR"}, {"name": "total", "type": "DOUBLE"}],
            "rows": [["Bergen", 7.0], ["Oslo", 42.5], [None, None]],
            "row_count": 3,
            "truncated": False,
            "file": None,
        }

    @pytest.mark.parametrize(
        ("filename", "content"),
        [
            ("t.csv", b"city,n\nOslo,1\nBergen,2\n"),
            ("t.jsonl", b'{"city": "Oslo", "n": 1}\n{"city": "Bergen", "n": 2}\n'),
        ],
    )
    def test_an_upload_is_the_table(self, filename, content):
        context = FakeContext(uploads={"it": (filename, content)})
        assert query("FROM data ORDER BY n", context, upload="it").rows == [
            ["Oslo", 1], ["Bergen", 2],
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "sql",
        [
            "FROM data", "TABLE data", "(SELECT * FROM data)", "WITH d AS (FROM data) FROM d",
            "SELECT * FROM data;", "SELECT * FROM data ;\n ; ", "SELECT * FROM data -- ; end",
            "/* a; b */ SELECT * FROM data /* c */", "SELECT * FROM DATA UNION ALL FROM data",
            "SELECT * FROM data; -- end", "SELECT * FROM data -- a\n; -- b",
            "FROM data;;/* c */;\n", "SELECT * FROM data --", "-- 'a'\nFROM main.data -- it's",
            "FROM memory.main.data",
        ],
    )  # fmt: skip
    def test_a_select_may_be_written_in_many_ways(self, sql):
        assert query(sql).rows[:4] == [list(row.values()) for row in ROWS]

    def test_describe_values_and_summarize_are_selects(self):
        assert [row[0] for row in query("DESCRIBE data").rows] == ["city", "amount"]
        assert query("VALUES (1, 'a;b')").rows == [[1, "a;b"]]
        assert query("SUMMARIZE data").row_count == 2

    def test_names_that_come_twice_are_numbered(self):
        names = [
            column.name for column in query("SELECT city, city, 1 AS amount FROM data").columns
        ]
        assert names == ["city", "city_1", "amount"]


class TestValues:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("NULL", None),
            ("true", True),
            ("-9223372036854775808", -(2**63)),
            ("170141183460469231731687303715884105727", 2**127 - 1),
            ("12345678901234567890123::BIGNUM", "12345678901234567890123"),
            ("1.50", "1.50"),
            ("-0.00000001", "-0.00000001"),
            ("0.1::DOUBLE", 0.1),
            ("'nan'::DOUBLE", None),
            ("'-inf'::FLOAT", None),
            ("'ünï 🦆' || chr(0)", "ünï 🦆\x00"),
            ("DATE '2024-01-02'", "2024-01-02"),
            ("TIME '10:00:00.5'", "10:00:00.5"),
            ("TIMESTAMP '2024-01-02 03:04:05'", "2024-01-02T03:04:05"),
            ("TIMESTAMP_NS '2024-01-02 03:04:05.000000001'", "2024-01-02T03:04:05.000000001"),
            ("TIMESTAMPTZ '2024-01-02 03:04:05+02'", "2024-01-02T01:04:05Z"),
            ("'infinity'::TIMESTAMPTZ", "infinity"),
            ("INTERVAL '2 months 3 days'", "2 months 3 days"),
            ("'\\xAA\\x00'::BLOB", "aa00"),
            ("'a'::ENUM('a', 'b')", "a"),
            ("UUID '4ab35305-b33a-443b-ad4b-3f494ba5ee6b'", "4ab35305-b33a-443b-ad4b-3f494ba5ee6b"),
            ("[1.5::DOUBLE, 'nan'::DOUBLE, NULL]", [1.5, None, None]),
            ("{'a': [1, 2], 'b': {'c': 'x\"y'}}", {"a": [1, 2], "b": {"c": 'x"y'}}),
            ("MAP {'k': 1}", {"k": 1}),
            ("(1, 'a')", [1, "a"]),
            ("'{\"a\": [1e999, NaN]}'::JSON", {"a": ["1e999", None]}),
            ("[123456789012345678.25, 0.50, -1.1]", ["123456789012345678.25", 0.5, -1.1]),
        ],
    )
    def test_are_plain_json(self, expression, expected):
        found = value(expression)
        assert (found, type(found)) == (expected, type(expected))

    def test_every_type_there_is_serialises(self):
        output = query("FROM test_all_types()")
        text = output.model_dump_json()
        assert json.dumps(json.loads(text), allow_nan=False)
        assert output.row_count == 3

    @pytest.mark.parametrize(
        "expression", ["repeat('[', 100) || repeat(']', 100)", "repeat('9', 5000)"]
    )
    def test_json_that_others_cannot_read_stays_text(self, expression):
        output = query(f"SELECT ({expression})::JSON")
        assert isinstance(output.rows[0][0], str)
        assert output.model_dump_json()


class TestBounds:
    def test_rows_over_the_limit_are_cut_and_it_says_so(self):
        exact, cut = (query("FROM range(5)", limit=limit) for limit in (5, 4))
        assert (exact.row_count, exact.truncated) == (5, False)
        assert (cut.rows, cut.row_count, cut.truncated) == ([[0], [1], [2], [3]], 4, True)

    def test_a_thousand_rows_unless_asked_for_more(self):
        assert query("FROM range(100000)").row_count == 1000
        assert query("FROM range(100000)", limit=10_000).row_count == 10_000

    def test_rows_over_the_size_are_cut_and_it_says_so(self):
        output = query("SELECT repeat('é', 50000) FROM range(1000)")  # 100 kB each
        assert output.truncated
        assert (
            2_500_000 < len(output.model_dump_json().encode()) <= runner.QUERY_RESULT_BYTES + 1000
        )
        assert output.row_count == len(output.rows)

    def test_a_row_that_alone_is_too_large_is_refused(self):
        assert reason("SELECT repeat('x', 4000000)") == "one row of the result is larger than 3 MiB"

    def test_500_columns_are_the_most(self):
        assert len(query(f"SELECT {', '.join(['1'] * 500)}").columns) == 500
        assert reason(f"SELECT {', '.join(['1'] * 501)}") == "the result has more than 500 columns"

    @pytest.mark.parametrize(
        ("given_input", "expected"),
        [
            ({}, "sql\n  Field required"),
            ({"sql": ""}, "at least 1 character"),
            ({"sql": "x" * 10_001}, "at most 10000 characters"),
            ({"sql": "FROM data", "limit": 0}, "greater than or equal to 1"),
            ({"sql": "FROM data", "limit": 10_001}, "less than or equal to 10000"),
            ({"sql": "FROM data", "amount": math.pi}, "Extra inputs"),
        ],
    )
    def test_input_says_what_is_wrong(self, given_input, expected):
        with pytest.raises(ValidationError, match=expected):
            Input.model_validate({"rows": ROWS} | given_input)


class TestMistakes:
    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
            ("SELECT citty FROM data", '"citty" not found in FROM clause'),
            ("SELECT * FROM dat", 'there is no table "dat": the query has "data"'),
            ("SELECT city::INT FROM data", "Could not convert string 'Oslo' to INT32"),
            ("SELECT nosuch(city) FROM data", "Function with name nosuch does not exist"),
            ("SELECT 'a", "unterminated"),
            ("SELECT 1 /* a", "unterminated /* comment"),
            ("SELECT 1) AS a, (SELECT 2", 'syntax error at or near ")"'),
            ("", "at least 1 character"),
            (" ; -- nothing", "give one statement, not 0"),
            ("SELECT ?", "the query has parameters"),
            ("SELECT $name", "the query has parameters"),
            ("PIVOT data ON city", "give PIVOT the list of its values"),
        ],
    )
    def test_are_said_in_words_that_help(self, sql, expected):
        with pytest.raises((Permanent, ValidationError)) as refused:
            query(sql)
        said = getattr(refused.value, "reason", str(refused.value))
        assert expected in said
        if isinstance(refused.value, Permanent):
            assert "\n" not in said
            assert "LINE 1" not in said

    def test_a_long_message_is_cut(self):
        assert len(reason(f"SELECT error('{'x' * 5000}')")) == 500

    def test_a_bad_table_is_said_as_elsewhere(self):
        context = FakeContext(uploads={"it": ("t.csv", b"a,b\n1\n")})
        with pytest.raises(Permanent, match="a line has 1 columns where the first has 2"):
            query("FROM data", context, upload="it")


class TestProcess:
    def test_a_cancelled_attempt_ends_the_query_and_its_process(self, monkeypatch):
        context, started = FakeContext(), []
        popen = subprocess.Popen

        def start(*args, **kwargs):
            started.append(popen(*args, **kwargs))
            return started[0]

        monkeypatch.setattr(subprocess, "Popen", start)
        context.cancelled = lambda: bool(started)
        begun = time.monotonic()
        with pytest.raises(Abandoned):
            query(ENDLESS, context)
        assert time.monotonic() - begun < 5
        assert started[0].returncode == -9

    def test_a_process_without_a_parent_ends_by_itself(self):
        request = {
            "tables": [], "sql": ENDLESS, "rows": 1, "output": None, "columns": 1,
            "result_bytes": 1000, "memory": "256MiB", "process_bytes": 768 << 20,
            "threads": 1, "seconds": 1,
        }  # fmt: skip
        begun = time.monotonic()
        ended = subprocess.run(  # noqa: S603
            process.command(), env=process.environment(), check=False,
            input=json.dumps(request).encode(), stdout=subprocess.PIPE,
        )  # fmt: skip
        # By its alarm, or by its bound of CPU time, whichever is first.
        assert ended.returncode in {-signal.SIGALRM, -signal.SIGKILL}
        assert ended.stdout == b""
        assert time.monotonic() - begun < 10

    def test_its_environment_holds_no_secret(self, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        code = "import json, os; print(json.dumps({'error': ' '.join(os.environ)}))"
        monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", code])
        allowed = {"PYTHONPATH", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "PYTHONDONTWRITEBYTECODE"}
        assert set(reason("FROM data").split()) <= allowed | {"LC_CTYPE"}

    def test_it_can_write_no_file(self, tmp_path):
        code = (
            "import sys; from processors.tables.query_child import _limit_process\n"
            "_limit_process({'process_bytes': 1 << 30, 'threads': 1, 'seconds': 9})\n"
            "open(sys.argv[1], 'w').write('x')"
        )
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", code, str(tmp_path / "f")],
            env=process.environment(), check=False, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert (tmp_path / "f").read_bytes() == b""

    def test_a_crash_is_permanent_and_stays_outside(self, monkeypatch):
        code = "import os; os.abort()"
        monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", code])
        assert reason("FROM data").startswith("the query ended the database")

    def test_two_queries_run_at_once_and_no_more(self, monkeypatch):
        running, most, lock, go_on = 0, 0, Lock(), Event()

        def answer(request, ctx):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            go_on.wait(0.3)
            with lock:
                running -= 1
            return {"columns": [], "rows": [], "row_count": 0, "truncated": False}

        monkeypatch.setattr(runner, "answer_of", answer)
        threads = [Thread(target=query, args=["FROM data"]) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == 2

    def test_nothing_is_left_on_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        query("FROM data")
        reason("SELECT nope")
        assert not list(tmp_path.iterdir())
