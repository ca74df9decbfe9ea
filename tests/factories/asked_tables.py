"""Tables as people send them: what is asked of each, and the right answer."""

from tests.factories import table_files as files
from tests.factories.table_cases import (
    Case,
    answer_file,
    conversion,
    joined,
    query,
    refusal,
    summary,
    top,
    warning,
)

NESTED = (
    b'{"id":1,"o":{"city":"Oslo","n":5,"tags":["x"]},"items":[{"sku":"a","q":1},{"sku":"b","q":2}]}\n'
    b'{"id":2,"o":{"city":"Bergen","n":7,"tags":[]},"items":[]}\n'
)
LATE_DECIMAL = files.late("amount", lambda _: "10", "12.5", "0.4")
LATE_ZIP = files.late("zip", lambda n: str(10_000 + n), "02134")
LATE_OFFSET = files.late(
    "t", lambda n: f"2024-01-05 10:00:{n % 60:02}", "2024-01-05 10:00:00+05:00"
)
LATE_ZERO = files.late("code", lambda n: f"{n}.5", "007.5")
LATE_EXPONENT = files.late("id", str, "1e3", "0x1F", "1_000")
BACKSLASHES = b'id,t\n1,"a \\"q\\" b"\n2,c\n'
COMMENTS = b"# exported 2024-01-05\nid,v\n1,2\n3,4\n"
TITLES = b"Sales Q1,,\n,,\nid,name,v\n1,a,2\n"
NO_HEADER = b"1,2,3\n4,5,6\n7,8,9\n"
GAPS = b"id,v\n1,5\n2,NA\n3,7\n4,NULL\n"
LATIN = "id,city\n1,Århus\n2,Malmö\n".encode("latin-1")
FRACTION = files.parquet(
    "SELECT CAST(v AS DECIMAL(18,18)) AS rate FROM (VALUES ('0.123456789012345678'), ('-0.5')) t(v)"
)
NANOSECONDS = files.parquet(
    "SELECT CAST(a AS TIMESTAMPTZ_NS) AS ts, CAST(b AS TIME_NS) AS t FROM (VALUES "
    "('2024-01-05 10:00:00.123456789+00', '10:30:00.000000005'), "
    "('1970-01-01 00:00:00.000000001+00', '00:00:00')) v(a, b)"
)

TYPES: dict[str, Case] = {
    "a decimal in a late row of whole numbers is summed": query(
        "t.csv.gz", LATE_DECIMAL, "SELECT sum(amount), max(amount), min(amount) FROM data",
        [["210012.9", "12.5", "0.4"]],
    ),
    "a decimal in a late row of whole numbers is written": conversion(
        "t.csv.gz", LATE_DECIMAL, "csv", ["12.5", "0.4"], seen=files.last_fields
    ),
    "a leading zero in a late row keeps the column text": query(
        "t.csv.gz", LATE_ZIP, "SELECT min(zip), typeof(any_value(zip)) FROM data",
        [["02134", "VARCHAR"]],
    ),
    "a leading zero in a late row is written": conversion(
        "t.csv.gz", LATE_ZIP, "csv", ["30999", "02134"], seen=files.last_fields
    ),
    "an offset in a late row is kept": query(
        "t.csv.gz", LATE_OFFSET, "SELECT t, typeof(t) FROM data OFFSET 21000",
        [["2024-01-05 10:00:00+05:00", "VARCHAR"]],
    ),
    "a leading zero before decimals in a late row keeps the column text": query(
        "t.csv.gz", LATE_ZERO, "SELECT code FROM data OFFSET 21000", [["007.5"]]
    ),
    "exponents and hexadecimals in late rows keep the column text": query(
        "t.csv.gz", LATE_EXPONENT, "SELECT id FROM data OFFSET 21000",
        [["1e3"], ["0x1F"], ["1_000"]],
    ),
    "nanoseconds are kept": summary(
        "t.csv", b"t\n2024-01-05 10:00:00.123456789\n2024-01-05 10:00:00.123456001\n", 2,
        {"t": {"type": "TIMESTAMP_NS", "distinct": 2, "min": "2024-01-05T10:00:00.123456001"}},
    ),
    "infinity is no date": summary(
        "t.csv", b"valid_to\ninfinity\n2024-01-01\n", 2,
        {"valid_to": {"type": "VARCHAR", "min": "2024-01-01", "max": "infinity"}},
    ),
    "years of two digits and part numbers are text": summary(
        "t.csv", b"d,part\n24-01-05,978-3-16\n24-02-05,978-1-4\n", 2,
        {
            "d": {"type": "VARCHAR", "min": "24-01-05", "max": "24-02-05"},
            "part": {"type": "VARCHAR", "min": "978-1-4", "max": "978-3-16"},
        },
    ),
    "a decimal of 18 digits keeps them": summary(
        "t.csv", b"amount\n1234567890123456.78\n0.01\n", 2,
        {"amount": {"max": "1234567890123456.78", "min": "0.01"}},
    ),
    "codes that look like booleans are text": summary(
        "t.csv", b"country,sex,ticker\nNO,F,T\nNO,F,F\n", 2,
        {
            "country": {"type": "VARCHAR", "min": "NO"},
            "sex": {"type": "VARCHAR", "min": "F"},
            "ticker": {},
        },
    ),
    "dates with slashes stay text": summary(
        "t.csv", b"d\n2024/01/05\n2024/02/06\n", 2,
        {"d": {"type": "VARCHAR", "min": "2024/01/05", "max": "2024/02/06"}},
    ),
}  # fmt: skip

READING: dict[str, Case] = {
    "Excel's line of the delimiter is no line of names": summary(
        "t.csv", b"sep=;\r\nid;name\r\n1;a\r\n2;b\r\n", 2, {"id": {"max": 2}, "name": {"max": "b"}}
    ),
    "lines of a title are skipped": summary(
        "t.csv", TITLES, 1, {"id": {"max": 1}, "name": {"max": "a"}, "v": {"max": 2}}, skip=2
    ),
    "lines of a title are warned of": warning("t.csv", TITLES, "skip"),
    "comments are left out": summary(
        "t.csv", COMMENTS, 2, {"id": {"max": 3}, "v": {"max": 4}}, comment="#"
    ),
    "comments are hinted at": refusal("t.csv", COMMENTS, "comment"),
    "a name that comes twice is numbered": summary(
        "t.csv", b"id,amount,amount\n1,2,3\n", 1,
        {"id": {"max": 1}, "amount": {"max": 2}, "amount_1": {"max": 3}},
    ),
    "a table without names is read": summary(
        "t.csv", NO_HEADER, 3,
        {"column0": {"min": 1}, "column1": {"min": 2}, "column2": {"min": 3}}, header=False,
    ),
    "a table without names is warned of": warning("t.csv", NO_HEADER, "header"),
    "a comma before decimals is warned of": warning(
        "t.csv", b"id;price\n1;2,50\n2;10,00\n", "'price'", "options.decimal"
    ),
    "what stands for null among numbers is null": summary(
        "t.csv", GAPS, 4, {"id": {}, "v": {"type": "BIGINT", "nulls": 2, "mean": "6"}}
    ),
    "what options name is null": summary(
        "t.csv", GAPS, 4, {"id": {}, "v": {"type": "BIGINT", "nulls": 2, "mean": "6"}},
        nulls=["NA", "NULL"],
    ),
    "UTF-16 is read by its mark": summary(
        "t.csv", "id,name\n1,Žok\n2,Åsa\n".encode("utf-16"), 2,
        {"id": {"max": 2}, "name": {"min": "Åsa", "max": "Žok"}},
    ),
    "Latin-1 is read when it is named": summary(
        "t.csv", LATIN, 2, {"id": {}, "city": {"min": "Malmö", "max": "Århus"}},
        encoding="latin-1",
    ),
    "what is not UTF-8 is told of the option": refusal("t.csv", LATIN, "UTF-8", "encoding"),
    "quotes are escaped by backslashes when that is named": query(
        "t.csv", BACKSLASHES, "SELECT t FROM data", [['a "q" b'], ["c"]], escape="\\"
    ),
    "quotes escaped by backslashes are refused with their line": refusal(
        "t.csv", BACKSLASHES, "line 2"
    ),
    "a line of another width is refused with its number": refusal(
        "t.csv", b"id,v\n1,2\n3,4\n(2 rows)\n", "line 4"
    ),
    "JSON Lines with a mark are summarised": summary(
        "t.jsonl", b'\xef\xbb\xbf{"id":1}\n{"id":2}\n', 2, {"id": {"max": 2}}
    ),
    "JSON Lines with a mark are queried": query(
        "t.jsonl", b'\xef\xbb\xbf{"id":1}\n{"id":2}\n', "SELECT sum(id) FROM data", [[3]]
    ),
    "JSON Lines with a mark are converted": conversion(
        "t.jsonl", b'\xef\xbb\xbf{"id":1}\n{"id":2}\n', "csv", "id\r\n1\r\n2\r\n"
    ),
    "a JSON array is read": summary(
        "t.json", b'[\n  {"id":1,"v":2.5},\n  {"id":2,"v":3.5}\n]\n', 2,
        {"id": {"max": 2}, "v": {"mean": "3", "max": "3.5"}},
    ),
}  # fmt: skip

NESTING: dict[str, Case] = {
    "a field of an object is compared": query(
        "t.jsonl", NESTED, "SELECT id FROM data WHERE o.city = 'Oslo'", [[1]]
    ),
    "a field of an object is summed": query(
        "t.jsonl", NESTED, "SELECT sum(o.n) FROM data", [[12]]
    ),
    "a list in an object has its length": query(
        "t.jsonl", NESTED, "SELECT len(o.tags) FROM data", [[1], [0]]
    ),
    "a text in an object has no quotes": query(
        "t.jsonl", NESTED, "SELECT o.city || '!' FROM data", [["Oslo!"], ["Bergen!"]]
    ),
    "objects are Parquet's own": conversion(
        "t.jsonl", NESTED, "parquet",
        [
            ("id", "BIGINT"),
            ("o", "STRUCT(city VARCHAR, n BIGINT, tags VARCHAR[])"),
            ("items", "STRUCT(sku VARCHAR, q BIGINT)[]"),
        ],
        seen=files.parquet_types,
    ),
}  # fmt: skip

WRITING: dict[str, Case] = {
    "a date without leading zeros is written in ISO 8601": conversion(
        "t.csv", b"d\n2024-1-5\n2024-12-06\n", "jsonl",
        '{"d":"2024-01-05"}\n{"d":"2024-12-06"}\n',
    ),
    "a decimal that is all fraction is JSON": conversion(
        "t.parquet", FRACTION, "jsonl",
        '{"rate":0.123456789012345678}\n{"rate":-0.500000000000000000}\n',
    ),
    "nanoseconds of Parquet have their extremes": summary(
        "t.parquet", NANOSECONDS, 2,
        {
            "ts": {
                "min": "1970-01-01T00:00:00.000000001Z",
                "max": "2024-01-05T10:00:00.123456789Z",
            },
            "t": {"min": "00:00:00", "max": "10:30:00.000000005"},
        },
    ),
    "the most frequent values of many are exact": top(
        "t.csv.gz", files.skewed, "tail", [(f"tail-{n:04}", 400 - 5 * n) for n in range(10)]
    ),
}  # fmt: skip

SHOP = {
    "orders": ("orders.csv", b"id,customer,amount\n1,7,12.5\n2,8,3\n3,7,1\n"),
    "customers": ("customers.jsonl", b'{"id": 7, "name": "Ada"}\n{"id": 8, "name": "Bo"}\n'),
}

QUERYING: dict[str, Case] = {
    "several uploads are tables of one query": joined(
        SHOP,
        "SELECT name, sum(amount) FROM orders JOIN customers ON customer = customers.id "
        "GROUP BY name ORDER BY name",
        [["Ada", "13.5"], ["Bo", "3"]],
    ),
    "a result is a file": answer_file(
        "t.csv", b"id,v\n1,2\n3,4\n", "SELECT v FROM data ORDER BY v DESC", "csv",
        "v\r\n4\r\n2\r\n",
    ),
    "a comment after the query is allowed": query(
        "t.csv", b"id\n1\n", "SELECT id FROM data -- all of them", [[1]]
    ),
    "a table of another name is refused with the right one": refusal(
        "t.csv", b"id\n1\n", 'the query has "data"', processor="query-table",
        sql="SELECT id FROM orders",
    ),
    "settings are not shown": refusal(
        "t.csv", b"id\n1\n", "settings", processor="query-table",
        sql="SELECT value FROM duckdb_settings() WHERE name = 'temp_directory'",
    ),
}  # fmt: skip

REFUSALS: dict[str, Case] = {
    "an Excel workbook": refusal("t.xlsx", files.workbook, "Excel", "CSV"),
    "an Excel workbook called CSV": refusal("t.csv", files.workbook, "Excel", "CSV"),
    "an HTML page": refusal(
        "t.csv", b"<!DOCTYPE html><html><body>404</body></html>", "HTML"
    ),
    "a zip archive": refusal("t.csv", files.archive, "zip"),
    "a tar archive": refusal("t.csv.gz", files.tar, "tar"),
    "an SQLite database": refusal("t.csv", files.sqlite, "SQLite"),
    "an Avro file": refusal("t.csv", b"Obj\x01\x04\x14avro.codec\x08null\x00", "Avro"),
    "a PDF document": refusal("t.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF"),
    "an image": refusal("t.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "PNG"),
}  # fmt: skip

CASES: dict[str, Case] = TYPES | READING | NESTING | WRITING | QUERYING | REFUSALS
