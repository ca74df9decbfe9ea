"""Queries over several uploads, each a table of its own."""

import json
from itertools import combinations

import duckdb
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from processors.tables.query import Input, query_table
from tandem.processing import Permanent
from tandem.processing.upload import uploads_in
from tandem.testing import FakeContext

ROWS = [{"a": 1}]
CONTEXT = FakeContext(
    uploads={
        "o": ("orders.csv", b"id,customer,amount\n1,7,12.5\n2,8,3\n3,7,1\n"),
        "c": ("customers.jsonl", b'{"id": 7, "name": "Ida"}\n{"id": 8, "name": "Ola"}\n'),
    }
)


def rows_of(sql: str, uploads: dict[str, str]) -> list[list] | None:
    return query_table.run(Input(sql=sql, uploads=uploads), CONTEXT).rows


def test_each_upload_is_a_table_of_its_own():
    sql = """SELECT name, sum(amount) AS total
             FROM orders JOIN Customers ON customer = Customers.id
             GROUP BY name ORDER BY total DESC -- the best first"""
    rows = rows_of(sql, {"orders": "o", "customers": "c"})
    assert rows == [["Ida", 13.5], ["Ola", 3.0]]


def test_an_upload_may_be_two_tables():
    sql = "SELECT count(*) FROM a JOIN b ON a.id < b.id"
    assert rows_of(sql, {"a": "o", "b": "o"}) == [[3]]


def test_a_name_may_be_a_word_of_sql_or_hide_a_view():
    sql = 'SELECT count(*) FROM "select", duckdb_settings'
    assert rows_of(sql, {"select": "o", "duckdb_settings": "c"}) == [[6]]


def test_a_wrong_name_says_which_there_are():
    with pytest.raises(Permanent) as refused:
        rows_of("FROM data", {"orders": "o", "customers": "c"})
    expected = 'there is no table "data": the query has "customers" and "orders"'
    assert refused.value.reason == expected


def test_eight_are_the_most():
    uploads = dict.fromkeys(("a", "b", "c", "d", "e", "f", "g", "h"), "o")
    sql = f"FROM {', '.join(uploads)} SELECT count(*)"
    assert rows_of(sql, uploads) == [[3**8]]


def test_each_table_has_options_and_assumptions_of_its_own():
    context = FakeContext(
        uploads={"a": ("a.csv", b"id;zip\n1;0150\n"), "b": ("b.csv", b"id,n\n1,NA\n2,3\n")}
    )
    given = Input(
        sql="SELECT zip, n FROM a JOIN b USING (id)",
        uploads={"a": "a", "b": "b", "c": "b"},
        options={"a": {"delimiter": ";", "types": {"zip": "text"}}, "b": {"infer": False}},
    )
    output = query_table.run(given, context)
    assert output.rows == [["0150", "NA"]]
    assert {name: one.delimiter for name, one in output.assumed.items()} == {
        "a": ";", "b": ",", "c": ",",
    }  # fmt: skip


def test_an_upload_alone_has_options_as_elsewhere():
    context = FakeContext(uploads={"a": ("a.csv", b"id;zip\n1;0150\n")})
    for options in ({"delimiter": ";"}, {"types": {"zip": "text"}}, {}):
        output = query_table.run(Input(sql="FROM data", upload="a", options=options), context)
        assert output.assumed.delimiter == ";"
        assert output.rows == [[1, "0150"]]


@pytest.mark.parametrize(
    "options", [{"delimiter": ";"}, {"types": {"zip": "text"}}, {"a": {"skip": 1}, "b": {}}, {}]
)
def test_what_is_kept_of_an_input_gives_the_same_input(options):
    uploads = {"uploads": {"a": "x", "b": "y"}} if "a" in options else {"upload": "x"}
    given = Input(sql="SELECT 1", options=options, **uploads)
    assert Input.model_validate_json(given.model_dump_json(exclude_unset=True)) == given
    assert Draft202012Validator(Input.model_json_schema()).is_valid(
        given.model_dump(mode="json", exclude_unset=True)
    )


@pytest.mark.parametrize(
    ("given_input", "place", "expected"),
    [
        ({"options": {"delimiter": "ab"}}, ("options", "delimiter"), "should match pattern"),
        ({"options": {"nope": 1}}, ("options", "nope"), "Extra inputs"),
        ({"options": 7}, ("options",), "valid dictionary or instance of ReadOptions"),
        (
            {"uploads": {"a": "x"}, "options": {"a": {"skip": -1}}},
            ("options", "a", "skip"),
            "equal",
        ),
        ({"uploads": {"a": "x"}, "options": {"b": {}}}, (), "options are given for 'b'"),
        ({"uploads": {"a": "x"}, "options": {"skip": 1}}, (), "by the names in uploads"),
        ({"options": {"a": {"skip": 1}}}, (), "options are given for 'a'"),
        ({"format": "parquet", "options": {"skip": 1}}, (), "says nothing of parquet"),
    ],
)
def test_options_say_what_is_wrong_and_where(given_input, place, expected):
    source = {} if "uploads" in given_input else {"upload": "x"}
    with pytest.raises(ValidationError, match=expected) as refused:
        Input.model_validate({"sql": "SELECT 1"} | source | given_input)
    assert [error["loc"] for error in refused.value.errors()] == [place]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("day", "2024-01-05"),
        ("CAST(day AS VARCHAR)", "2024-01-05"),
        ("day || ''", "2024-01-05"),
        ("concat(day)", "2024-01-05"),
        ("strftime(day, '%x')", "2024-01-05"),
        ("format('{}', day)", "2024-01-05"),
        ("sure::TEXT", "true"),
    ],
)
def test_a_text_of_a_value_is_that_of_its_type_and_not_of_the_file(expression, expected):
    content = b"day,n,sure\n2024-1-5,7,TRUE\n"
    context = FakeContext(uploads={"it": ("t.csv", content)})
    for sql in (f"FROM data SELECT {expression}", f"FROM data SELECT {expression}, typeof(n)"):
        output = query_table.run(Input(sql=sql, uploads={"data": "it"}), context)
        assert output.rows[0][0] == expected


@pytest.mark.parametrize("name", ["getvariable('file')", "it's", 'a "b"', "a''b\"\"c"])
def test_a_column_may_have_any_name(name):
    content = json.dumps({name: 1}).encode()
    context = FakeContext(uploads={"it": ("t.jsonl", content)})
    output = query_table.run(Input(sql="FROM t, t AS u", uploads={"t": "it"}), context)
    assert [column.name for column in output.columns] == [name, f"{name}_1"]
    assert output.rows == [[1, 1]]


@pytest.mark.parametrize("to", [None, "csv"])
def test_a_damaged_table_is_said_to_be_one(tmp_path, to):
    path = tmp_path / "t.parquet"
    duckdb.sql("SELECT hash(range) AS h FROM range(9999)").write_parquet(str(path))
    content = path.read_bytes()
    damaged = content[:4] + bytes([255]) * 60 + content[64:]  # the first page's header
    context = FakeContext(uploads={"it": ("t.parquet", damaged)})
    with pytest.raises(Permanent, match="a table is damaged, or is not of its format"):
        query_table.run(Input(sql="SELECT sum(h) FROM t", uploads={"t": "it"}, to=to), context)


@pytest.mark.parametrize(
    ("given_input", "expected"),
    [
        ({"uploads": {}}, "at least 1 item"),
        ({"uploads": dict.fromkeys("abcdefghi", "o")}, "at most 8 items"),
        ({"uploads": {"a b": "o"}}, "should match pattern"),
        ({"uploads": {"": "o"}}, "should match pattern"),
        ({"uploads": {"1st": "o"}}, "should match pattern"),
        ({"uploads": {'a"b': "o"}}, "should match pattern"),
        ({"uploads": {"a": ""}}, "at least 1 character"),
        ({"uploads": {"a": "o", "A": "c"}}, "must differ in more than case"),
        ({"uploads": {"a": "o"}, "upload": "o"}, "give one of rows, upload and uploads"),
        ({"uploads": {"a": "o"}, "rows": ROWS}, "give one of rows, upload and uploads"),
        ({"uploads": {"a": "o"}, "format": "csv"}, "format goes with upload"),
        ({}, "give one of rows, upload and uploads"),
    ],
)
def test_input_says_what_is_wrong(given_input, expected):
    with pytest.raises(ValidationError, match=expected):
        Input.model_validate({"sql": "SELECT 1"} | given_input)


def test_the_library_sees_every_upload():
    given = Input(sql="SELECT 1", uploads={"a": "one", "b": "two"})
    assert list(uploads_in(given)) == ["one", "two"]


def test_the_schema_says_that_one_source_is_given():
    validator = Draft202012Validator(Input.model_json_schema())
    sources = {"rows": ROWS, "upload": "o", "uploads": {"a": "o"}}
    for name, value in sources.items():
        validator.validate({"sql": "SELECT 1", name: value})
    for pair in combinations(sources, 2):
        given = {"sql": "SELECT 1"} | {name: sources[name] for name in pair}
        assert not validator.is_valid(given)
    assert not validator.is_valid({"sql": "SELECT 1"})
