"""Options that say how a table is to be read."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.tables.convert import Input as ConvertInput
from processors.tables.convert import convert_table
from processors.tables.options import ReadOptions
from processors.tables.query import Input as QueryInput
from processors.tables.query import query_table
from processors.tables.summarize import Input as SummarizeInput
from processors.tables.summarize import summarize_table
from processors.tables.table import TableInput
from tandem.processing import Permanent
from tandem.testing import FakeContext
from tests.factories.tables import opened, refusal, rows_of, types_of

INSTANT = "TIMESTAMP WITH TIME ZONE"


class TestTypes:
    @pytest.mark.parametrize(
        ("text", "asked", "column_type", "value"),
        [
            ("02134", "text", "VARCHAR", "02134"),
            ("12", "TEXT", "VARCHAR", "12"),
            ("02134", "integer", "BIGINT", 2134),
            ("12", "bigint", "BIGINT", 12),
            ("1e3", "number", "DOUBLE", 1000.0),
            ("0.5000", "DECIMAL(18,2)", "DECIMAL(18,2)", "0.50"),
            ("0.5", "DECIMAL(18, 2)", "DECIMAL(18,2)", "0.50"),
            ("2024-01-05", "date", "DATE", "2024-01-05"),
            ("2024/01/05", "date", "DATE", "2024-01-05"),
            ("10:30", "time", "TIME", "10:30:00"),
            ("2024-01-05 10:30", "timestamp", "TIMESTAMP", "2024-01-05 10:30:00"),
            (
                "2024-01-05 10:30+02",
                "instant",
                "TIMESTAMP WITH TIME ZONE",
                "2024-01-05 08:30:00+00",
            ),
            ("2024-07-01 10:30:00 UTC", "instant", INSTANT, "2024-07-01 10:30:00+00"),
            ("2024-07-01 10:30:00 GMT", "instant", INSTANT, "2024-07-01 10:30:00+00"),
            ("yes", "boolean", "BOOLEAN", True),
            ("02134", "string", "VARCHAR", "02134"),
            ("02134", "int", "BIGINT", 2134),
            ("-.5", "float", "DOUBLE", -0.5),
            ("-Inf", "number", "DOUBLE", float("-inf")),
            ("no", "bool", "BOOLEAN", False),
            ("2024-01-05 10:30", "datetime", "TIMESTAMP", "2024-01-05 10:30:00"),
        ],
    )
    def test_a_column_has_the_type_that_is_asked_for(self, text, asked, column_type, value):
        content = f"v,w\n{text},1\n,2\n"
        options = {"types": {"v": asked}}
        assert types_of("t.csv", content, options=options) == {"v": column_type, "w": "BIGINT"}
        [(found, _), empty] = rows_of("t.csv", content, options=options)
        assert (str(found) if column_type.startswith("DECIMAL") else found) == value
        assert empty == (None, 2)

    @pytest.mark.parametrize(
        ("text", "asked"),
        [
            ("12.5", "integer"),
            ("x", "integer"),
            ("9223372036854775808", "integer"),
            ("1.5e400", "number"),
            ("1_000", "number"),
            ("0x1F", "number"),
            ("2024-07-01 10:00:00 BST", "instant"),
            ("2024-07-01 10:00:00 IST", "instant"),
            ("2024-07-01 10:00:00 CST", "instant"),
            ("0.505", "DECIMAL(18,2)"),
            ("2024-01-05 10:00:00", "date"),
            ("infinity", "date"),
            ("2024-01-05 10:00:00+05:00", "timestamp"),
            ("2024-01-05 10:00:00.1234567", "timestamp"),
            ("10:30:00+02:00", "time"),
            ("perhaps", "boolean"),
        ],
    )
    def test_a_value_that_is_not_of_the_type_is_refused_with_its_row(self, text, asked):
        content = f"v,w\n,1\n,1\n{text},1\n"
        assert "the value of 'v' in row 3 is no " in refusal(
            "t.csv", content, options={"types": {"v": asked}}
        )

    @pytest.mark.parametrize(
        ("asked", "value"),
        [("integer", 5), ("number", 5.0), ("DECIMAL(4,1)", 5), ("HUGEINT", 5)],
    )
    @pytest.mark.parametrize("word", ["NA", "null", "-", " "])
    def test_a_word_for_null_is_null_in_a_column_that_is_asked_to_be_of_numbers(
        self, asked, value, word
    ):
        options = {"types": {"v": asked}}
        assert rows_of("t.csv", f"v,w\n5,1\n{word},2\n", options=options) == [
            (value, 1), (None, 2),
        ]  # fmt: skip
        lines = f'{{"v": "5"}}\n{{"v": "{word}"}}\n'
        assert rows_of("t.jsonl", lines, options=options) == [(value,), (None,)]

    @pytest.mark.parametrize("asked", ["date", "time", "timestamp", "instant"])
    def test_a_word_for_null_is_null_in_a_column_that_is_asked_to_be_of_dates(self, asked):
        options = {"types": {"v": asked}}
        assert rows_of("t.csv", "v,w\nn/a,1\n", options=options) == [(None, 1)]

    @pytest.mark.parametrize(
        ("asked", "more"), [("integer", {"nulls": ["?"]}), ("boolean", {}), ("uuid", {})]
    )
    def test_a_word_for_null_is_refused_where_it_is_none(self, asked, more):
        options = {"types": {"v": asked}} | more
        assert "in row 1 is no " in refusal("t.csv", "v\nNA\n", options=options)

    def test_a_column_that_there_is_not_is_refused(self):
        assert refusal("t.csv", "a\n1\n", options={"types": {"A": "text"}}) == (
            "options.types names a column 'A', and the table has none"
        )

    def test_json_and_rows_have_them_too(self):
        lines = '{"zip": 2134, "at": "2024-01-05"}\n'
        options = {"types": {"zip": "text", "at": "text"}}
        assert rows_of("t.jsonl", lines, options=options) == [("2134", "2024-01-05")]
        data = SummarizeInput(rows=[{"zip": "02134"}], options={"types": {"zip": "integer"}})
        assert summarize_table.run(data, FakeContext()).columns[0].min == 2134

    @pytest.mark.parametrize("asked", ["VARIANT", "DECIMAL(39,2)", "INTEGER[]", "x; DROP", ""])
    def test_another_type_is_invalid(self, asked):
        with pytest.raises(ValidationError, match="a type must be one of"):
            TableInput(upload="it", options={"types": {"v": asked}})


def test_without_inference_all_columns_are_text_as_written():
    content = "a,b,c\n007,2024-01-05,true\n,NA,1.50\n"
    assert rows_of("t.csv", content, options={"infer": False}) == [
        ("007", "2024-01-05", "true"), (None, "NA", "1.50"),
    ]  # fmt: skip
    lines = '{"a": 1.50, "b": {"c": [1, "x"]}, "d": null}\n'
    assert rows_of("t.jsonl", lines, options={"infer": False}) == [
        ("1.50", '{"c":[1,"x"]}', None),
    ]  # fmt: skip


class TestNulls:
    def test_by_default_words_are_null_among_numbers_dates_and_times_only(self):
        content = "n,d,t\n5,2024-01-05,a\nNA,n/a,NA\n7,-,-\nNULL,\\N,NULL\n"
        with opened("t.csv", content) as table:
            assert [one.type for one in table.columns] == ["BIGINT", "DATE", "VARCHAR"]
            assert table.database.query(
                "SELECT count(n), avg(n), count(d), count(t) FROM data"
            ) == [(2, 6.0, 1, 4)]
            assert table.assumed.nulls[:2] == ["NA", "N/A"]

    def test_those_given_are_null_in_every_column_and_no_others(self):
        content = "n,t\n5,NA\n?,x\n,\n"
        options = {"nulls": ["?", "NA"]}
        assert rows_of("t.csv", content, options=options) == [(5, None), (None, "x"), (None, None)]
        assert types_of("t.csv", "n\n5\nNA\n", options={"nulls": []}) == {"n": "VARCHAR"}

    def test_json_has_them_too(self):
        lines = '{"d": "2024-01-05"}\n{"d": "?"}\n'
        assert types_of("t.jsonl", lines, options={"nulls": ["?"]}) == {"d": "DATE"}

    def test_a_quote_in_one_stays_a_value(self):
        assert rows_of("t.csv", "t\na'b\nc\n", options={"nulls": ["a'b"]}) == [(None,), ("c",)]


@pytest.mark.parametrize(
    ("content", "options", "rows"),
    [
        ("a^b\n1^2,3\n", {"delimiter": "^"}, [(1, "2,3")]),
        ("a,b;c\n1;2\n", {"delimiter": ";"}, [(1, 2)]),
        ("1,2\n3,4\n", {"header": False}, [(1, 2), (3, 4)]),
        ("Sales Q1,,\n,,\nid,name,v\n1,a,2\n", {"skip": 2}, [(1, "a", 2)]),
        ('"Sales\nid,v\n1,2\n', {"skip": 1}, [(1, 2)]),
        ("# exported\nid,v\n1,2\n  # a note\n3,4#5\n", {"comment": "#"}, [(1, "2"), (3, "4#5")]),
        ('id,v\n1,"x\n# no note"\n', {"comment": "#"}, [(1, "x\n# no note")]),
        ('id,v\n#1\n1,5" pipe\n# 2\n', {"comment": "#"}, [(1, '5" pipe')]),
        ("a,b\n1,'x,''y'\n", {"quote": "'"}, [(1, "x,'y")]),
        ('a,b\n1,"x"y\n', {"quote": ""}, [(1, '"x"y')]),
        ('id,t\n1,"a \\"q\\" b"\n2,c\n', {"escape": "\\"}, [(1, 'a "q" b'), (2, "c")]),
        ("a;b\n1,5;x\n-2;y\n", {"decimal": ","}, [(1.5, "x"), (-2.0, "y")]),
        ("a;b\n1,5;1.5\n", {"decimal": ","}, [(1.5, "1.5")]),
        ('a,b\n"1,5",2\n', {"decimal": ",", "delimiter": None}, [(1.5, 2)]),
        ("v\n1,5\n2,25\n", {"decimal": ","}, [(1.5,), (2.25,)]),
        ("a, in EUR, net; b\n1,5;2\n", {"decimal": ","}, [(1.5, 2)]),
        ('a b\n1 "x y"\n', {"delimiter": " "}, [(1, "x y")]),
        ("a\x01b\n1\x01x,y\n", {"delimiter": "\x01"}, [(1, "x,y")]),
        ("a\x1fb\n1\x1fx\n", {"delimiter": "\x1f"}, [(1, "x")]),
        ("\n\nid,v\n1,2\n", {}, [(1, 2)]),
        ("\r\n  \r\nid,v\r\n1,2\r\n", {}, [(1, 2)]),
        ("\rid,v\r1,2\r", {}, [(1, 2)]),
        ("Sales\n\nid,v\n1,2\n", {"skip": 1}, [(1, 2)]),
        ("# exported\n\nid,v\n1,2\n", {"comment": "#"}, [(1, 2)]),
        ("\n# exported\nid,v\n#x\n1,2\n", {"comment": "#"}, [(1, 2)]),
        ("sep=;\n\nid;v\n1;2\n", {}, [(1, 2)]),
        ("\n1,2\n3,4\n", {"header": False}, [(1, 2), (3, 4)]),
        ("sep=;\r\nid;name\r\n1;a\r\n", {}, [(1, "a")]),
        ("sep=\t\nid\tname\n1\ta,b\n", {}, [(1, "a,b")]),
        ("sep=;\nid,name\n1,a\n", {"delimiter": ","}, [(1, "a")]),
    ],
)  # fmt: skip
def test_a_csv_file_is_read_as_options_say(content, options, rows):
    assert rows_of("t.csv", content, options=options) == rows


def test_blank_lines_at_the_start_are_counted():
    with opened("t.csv", "\n\nid,v\n1,2\n") as table:
        assert table.assumed.skip == 2
    assert "(line 5)" in refusal("t.csv", "\n\nid,v\n1,2\n1\n")
    assert "must name the columns" in refusal("t.csv", "\n \n")
    assert rows_of("t.csv", "\n1\n2\n", options={"header": False}) == [(None,), (1,), (2,)]


@pytest.mark.parametrize("encoding", ["latin-1", "windows-1252", "iso-8859-15", "mac-roman"])
def test_an_encoding_that_is_given_is_read(encoding):
    content = "id,city\n1,Århus\n2,Malmö\n"
    data = content.encode(encoding)
    rows = [(1, "Århus"), (2, "Malmö")]
    assert rows_of("t.csv", data, options={"encoding": encoding}) == rows
    lines = "".join(json.dumps({"c": c}, ensure_ascii=False) + "\n" for _, c in rows)
    assert rows_of("t.jsonl", lines.encode(encoding), options={"encoding": encoding}) == [
        ("Århus",), ("Malmö",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("latin1", "latin-1"),
        ("ISO-8859-1", "latin-1"),
        ("iso 8859 1", "latin-1"),
        ("cp1252", "windows-1252"),
        ("Windows-1252", "windows-1252"),
        ("UTF8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("ascii", "utf-8"),
        ("UTF-16LE", "utf-16-le"),
        ("shift_jis", "shift-jis"),
        ("koi8_r", "koi8-r"),
    ],
)
def test_an_encoding_may_be_spelled_as_other_tools_do(name, said):
    with opened("t.csv", "a\nx\n".encode(said), options={"encoding": name}) as table:
        assert table.assumed.encoding == said
        assert table.database.query("FROM data") == [("x",)]


@pytest.mark.parametrize("encoding", [5, "os", "..", "\x00", "latin-1\n"])
def test_what_is_no_encoding_is_invalid(encoding):
    with pytest.raises(ValidationError, match=r"options\.encoding"):
        TableInput(upload="it", options={"encoding": encoding})


def test_a_wrong_encoding_is_refused():
    data = "a\nÅ\n".encode("latin-1")
    assert "not UTF-8 text; name its encoding in options.encoding" in refusal("t.csv", data)
    assert refusal("t.csv", data, options={"encoding": "utf-8"}) == "the file is not UTF-8 text"
    assert "not shift-jis text" in refusal("t.csv", b"a\n\x80\n", options={"encoding": "shift-jis"})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"delimiter": ";", "quote": ";"}, "delimiter and quote must be different"),
        ({"delimiter": '"'}, "delimiter and quote must be different"),
        ({"comment": '"'}, "quote and comment must be different"),
        ({"delimiter": "#", "comment": "#"}, "delimiter and comment must be different"),
        ({"delimiter": ",", "decimal": ","}, "delimiter and decimal must be different"),
        ({"quote": "", "escape": "\\"}, "escape needs a quote"),
        ({"delimiter": "ab"}, "delimiter"),
        ({"delimiter": "a"}, "delimiter"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"skip": -1}, "greater than or equal"),
        ({"encoding": "utf-7"}, "encoding"),
        ({"nulls": [""]}, "at least 1 character"),
        ({"separator": ";"}, "Extra inputs"),
    ],
)
def test_options_that_make_no_sense_are_invalid(options, expected):
    with pytest.raises(ValidationError, match=expected):
        TableInput(upload="it", options=options)


@pytest.mark.parametrize(
    ("source", "option", "expected"),
    [
        ({"rows": [{"a": 1}]}, {"delimiter": ";"}, "options.delimiter says nothing of rows"),
        ({"rows": [{"a": 1}]}, {"encoding": "latin-1"}, "options.encoding says nothing of rows"),
        ({"upload": "it", "format": "jsonl"}, {"skip": 1}, "options.skip says nothing of jsonl"),
        (
            {"upload": "it", "format": "parquet"},
            {"nulls": []},
            "options.nulls says nothing of parq",
        ),
    ],
)
def test_options_of_another_format_are_invalid(source, option, expected):
    with pytest.raises(ValidationError, match=expected):
        TableInput(**source, options=option)


def test_options_of_another_format_are_refused_when_the_file_is_seen():
    assert refusal("t.jsonl", '{"a": 1}\n', options={"header": False}) == (
        "options.header says nothing of JSON"
    )


class TestAssumed:
    def test_all_three_say_what_they_assumed(self):
        context = FakeContext(uploads={"it": ("t.csv", b"zip;v\n1000;a\n02134;b\n")})
        outputs = [
            summarize_table.run(SummarizeInput(upload="it"), context),
            query_table.run(QueryInput(upload="it", sql="SELECT zip FROM data"), context),
            convert_table.run(ConvertInput(upload="it", to="jsonl"), context),
        ]
        said = [output.model_dump(mode="json")["assumed"] for output in outputs]
        assert said[0] == said[1] == said[2]
        assert said[0] | {"nulls": []} == {
            "format": "csv", "compression": None, "encoding": "utf-8", "delimiter": ";",
            "quote": '"', "escape": '"', "header": True, "skip": 0, "decimal": ".", "nulls": [],
            "widened": [{"column": "zip", "type": "VARCHAR", "row": 2, "value": "02134"}],
            "warnings": [],
        }  # fmt: skip

    def test_the_first_row_that_made_a_type_wider_is_named(self):
        with opened("t.csv", "v\n1\n1.5\n" + "2\n" * 3000 + ".5\n2.5\n") as table:
            [widened] = table.assumed.widened
        assert (widened.row, widened.value) == (2, "1.5")

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("1,2,3\n4,5,6\n", "options.header"),
            ("2024-01-05,2\n2024-01-06,6\n", "options.header"),
            ("Sales Q1,,\n,,\nid,name,v\n", "options.skip"),
        ],
    )
    def test_a_strange_first_line_is_warned_of(self, content, expected):
        with opened("t.csv", content) as table:
            [warning] = table.assumed.warnings
        assert expected in warning

    @pytest.mark.parametrize(
        ("content", "options"),
        [
            ("id;price\n1;2,50\n", {}),
            ('id\tprice\n1\t"-2,50"\n', {}),
            ("1;2,50\n", {"header": False, "delimiter": ";"}),
            ("x\nid;price\n1;2,50\n", {"skip": 1, "delimiter": ";"}),
        ],
    )
    def test_a_comma_before_decimals_is_warned_of(self, content, options):
        with opened("t.csv", content, options=options) as table:
            [warning] = table.assumed.warnings
            assert table.columns[1].type == "VARCHAR"
        assert "options.decimal" in warning

    def test_another_mark_than_commas_between_digits_is_warned_of(self):
        with opened("t.csv", "1,5;2,5\n3,5;4,5\n", options={"header": False}) as table:
            [warning] = table.assumed.warnings
        assert "';'" in warning
        assert "options.delimiter" in warning

    @pytest.mark.parametrize("content", ["1,a;b\n", "1,2\n", '1,2,"a;b"\n'])
    def test_a_mark_within_a_value_is_not(self, content):
        with opened("t.csv", content, options={"header": False}) as table:
            assert table.assumed.warnings == []

    @pytest.mark.parametrize(
        ("content", "options"),
        [
            ("id;price\n1;2,50\n", {"decimal": ","}),
            ("id;price\n1;2,50\n", {"decimal": "."}),
            ("id;price\n1;2,50\n", {"infer": False}),
            ("id;price\n1;2,50\n", {"types": {"price": "text"}}),
            ('id,price\n1,"2,500"\n', {}),
            ("id;name\n1;Oslo, 5\n", {}),
            ("id;price\n", {}),
        ],
    )
    def test_another_comma_is_not(self, content, options):
        with opened("t.csv", content, options=options) as table:
            assert table.assumed.warnings == []

    @pytest.mark.parametrize("content", ["id,v\n1,2\n", ",v\n1,2\n", "2023,name\n1,a\n", "t\n1\n"])
    def test_a_usual_first_line_is_not(self, content):
        with opened("t.csv", content) as table:
            assert table.assumed.warnings == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# exported\nid,v\n1,2\n", "options.comment"),
        ("Sales Q1\n\nid,name,v\n1,a,2\n", "options.skip"),
        ('id,t\n1,"a \\"q\\" b"\n', "options.escape"),
        (",\nid,v\n1,2\n", "options.skip"),
    ],
)
def test_a_refusal_names_the_option_that_may_help(content, expected):
    assert expected in refusal("t.csv", content)


NAMES = ("delimiter", "quote", "escape", "comment")
MARKS = [None, '"', "'", ",", ";", "\t", "|", "#", "\\", "."]


@settings(deadline=None, max_examples=60)
@example({"escape": ","}, b"a,b\n1,2\n")
@example({"quote": ",", "escape": '"'}, b"a,b\n1,2\n")
@example({"comment": "#"}, b"sep=#\na#b\n1#2\n")
@given(
    st.builds(
        lambda *marks: {name: mark for name, mark in zip(NAMES, marks, strict=True) if mark},
        *[st.sampled_from(MARKS)] * 4,
    ),
    st.sampled_from(
        [b"a,b\n1,2\n", b"a;b\n'1;x';\"2\"\n", b"sep=;\na;b\n1;2\n", b"sep=#\na#b\n1#2\n"]
    ),
)
def test_whatever_marks_options_give_a_file_is_read_or_refused(options, content):
    try:
        ReadOptions.model_validate(options)
    except ValidationError:
        return
    with suppress(Permanent):  # anything else would be a fault of ours
        rows_of("t.csv", content, options=options)
