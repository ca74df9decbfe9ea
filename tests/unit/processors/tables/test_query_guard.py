"""What a query may name, by its parse tree."""

import json

import duckdb
import pytest

from processors.tables.query_guard import NO_SLEEP, READ_ONLY, Refused, check_reads

TABLES = ("customers", "Orders")
NO_TABLE = 'there is no table "{}": the query has "Orders" and "customers"'


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        yield connection


def check(connection, sql: str) -> None:
    [(tree,)] = connection.execute(
        "SELECT json_serialize_sql(CAST(? AS VARCHAR))", [sql]
    ).fetchall()
    check_reads(json.loads(tree), TABLES)


def refusal(connection, sql: str) -> str:
    with pytest.raises(Refused) as refused:
        check(connection, sql)
    return str(refused.value)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM orders JOIN CUSTOMERS USING (id)",
        "FROM main.orders, memory.orders AS o, memory.main.orders",
        "SELECT (SELECT count(*) FROM customers c WHERE c.id = o.customer) FROM orders o",
        "WITH recent AS (FROM orders) SELECT * FROM recent, Recent AS r",
        "WITH a AS (FROM orders), b AS (WITH c AS (FROM a) FROM c) FROM b UNION ALL FROM a",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) FROM t",
        "WITH RECURSIVE t(a) USING KEY (a) AS (SELECT 1 UNION SELECT a FROM recurring.t) FROM t",
        "WITH orders AS (SELECT 1 AS x) FROM orders",
        "VALUES (1), (2)",
        "FROM (VALUES (1)) t(a) POSITIONAL JOIN orders",
        "FROM orders ASOF JOIN customers ON orders.day >= customers.day",
        "FROM range(3), generate_series(1, 2), unnest([1]), repeat(1, 2)",
        "SELECT unnest(tags), json_extract(o, '$.a') FROM orders, json_each(orders.o)",
        "DESCRIBE orders",
        "SHOW orders",
        "SHOW TABLES",
        "SUMMARIZE orders",
        "FROM (DESCRIBE FROM orders)",
        "PIVOT orders ON city IN ('a') USING sum(n)",
        "FROM orders PIVOT (sum(n) FOR city IN ('a'))",
        "UNPIVOT orders ON a, b",
        "FROM orders TABLESAMPLE 10 PERCENT",
        "SELECT [x + 1 FOR x IN tags IF x > 1], list_transform(tags, lambda t: t) FROM orders",
        'SELECT pg_typeof(1), \'read_text\', read_csv."glob" FROM orders AS read_csv("glob")',
        "SELECT sum(n) OVER (PARTITION BY city ORDER BY id) AS s FROM orders QUALIFY s > 1",
        "FROM duckdb_functions()",
    ],
)
def test_tables_subqueries_and_harmless_functions_are_let_in(connection, sql):
    check(connection, sql)


@pytest.mark.parametrize(
    "place",
    [
        "FROM {}",
        "FROM orders, {}",
        "FROM orders LEFT JOIN {} ON true",
        "FROM orders, LATERAL (FROM {})",
        "FROM orders POSITIONAL JOIN {}",
        "SELECT (SELECT count(*) FROM {})",
        "SELECT EXISTS (FROM {})",
        "FROM orders WHERE id IN (SELECT 1 FROM {})",
        "FROM orders WHERE id = ANY (SELECT 1 FROM {})",
        "SELECT sum(n) FROM orders GROUP BY (SELECT 1 FROM {})",
        "SELECT sum(n) FROM orders HAVING (SELECT true FROM {})",
        "FROM orders QUALIFY (SELECT true FROM {})",
        "SELECT sum(n) OVER (ORDER BY (SELECT 1 FROM {})) FROM orders",
        "SELECT sum(n) FILTER ((SELECT true FROM {})) FROM orders",
        "SELECT 1 ORDER BY (SELECT 1 FROM {})",
        "SELECT 1 LIMIT (SELECT 1 FROM {})",
        "SELECT 1 LIMIT 1 OFFSET (SELECT 1 FROM {})",
        "SELECT DISTINCT ON ((SELECT 1 FROM {})) 1",
        "SELECT [(SELECT 1 FROM {}) FOR x IN [1]]",
        "SELECT CASE WHEN true THEN (SELECT 1 FROM {}) END",
        "SELECT CAST((SELECT 1 FROM {}) AS VARCHAR)",
        "SELECT {{'a': (SELECT 1 FROM {})}}",
        "SELECT * REPLACE ((SELECT 1 FROM {}) AS id) FROM orders",
        "SELECT COLUMNS(c -> (SELECT true FROM {})) FROM orders",
        "SELECT 1 UNION ALL FROM {}",
        "SELECT 1 EXCEPT (SELECT 1 FROM {})",
        "WITH x AS (FROM {}) FROM x",
        "WITH x AS MATERIALIZED (FROM {}) SELECT 1",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM {}) FROM x",
        "SELECT (WITH x AS (FROM {}) SELECT 1 FROM x)",
        "VALUES ((SELECT 1 FROM {}))",
        "FROM (VALUES ((SELECT 1 FROM {})))",
        "FROM unnest((SELECT [1] FROM {}))",
        "FROM range((SELECT 1 FROM {}))",
        "DESCRIBE FROM {}",
        "SUMMARIZE FROM {}",
        "FROM (DESCRIBE FROM {})",
        "FROM (FROM {}) PIVOT (count(*) FOR city IN ('a'))",
        "PIVOT (FROM {}) ON city IN ('a')",
        "UNPIVOT (FROM {}) ON a, b",
        "FROM (FROM {}) TABLESAMPLE 10 PERCENT",
        "((((FROM {}))))",
    ],
)
def test_a_reader_is_found_wherever_it_stands(connection, place):
    for call in ("read_text('/etc/passwd')", "system.main.read_csv('x')", "\"READ_BLOB\"(['x'])"):
        assert refusal(connection, place.format(call)) == READ_ONLY
    assert refusal(connection, place.format("'/etc/passwd'")) == NO_TABLE.format("/etc/passwd")


@pytest.mark.parametrize(
    "call",
    [
        "query('FROM read_text(''x'')')", "query_table('orders')", "query_table(['orders'])",
        "json_execute_serialized_sql('{}')", "histogram('orders', 'id')", "seq_scan('orders')",
        "glob('*')", "sniff_csv('x')", "parquet_metadata('x')", "parquet_schema('x')",
        "read_duckdb('x')", "sqlite_scan('x', 't')", "postgres_scan('x', 'y', 'z')",
        "arrow_scan(1)", "duckdb_settings()", "duckdb_databases()", "duckdb_views()",
        "duckdb_secrets()", "duckdb_variables()", "duckdb_temporary_files()", "duckdb_logs()",
        "duckdb_external_file_cache()", "pragma_database_size()", "pragma_user_agent()",
        "pragma_storage_info('orders')", "pragma_table_info('orders')", "which_secret('x', 's3')",
        "enable_logging()", "checkpoint()", "no_such_function()",
    ],
)  # fmt: skip
def test_table_functions_are_few(connection, call):
    for sql in (f"FROM {call}", f"FROM orders, {call}", f"FROM system.main.{call}"):
        assert refusal(connection, sql) == READ_ONLY


@pytest.mark.parametrize(
    "call",
    [
        "current_setting('allowed_paths')", "'allowed_paths'.current_setting()",
        "system.main.current_setting('threads')", "\"Current_Setting\"('threads')",
        "list_transform(['threads'], x -> current_setting(x))", "getvariable('file')",
        "[getvariable(x) FOR x IN ['a']]", "current_query()", "write_log('a')",
        "pg_get_viewdef(1)", "pg_catalog.pg_get_viewdef(1)", "pg_conf_load_time()",
        "CASE WHEN getvariable('a') THEN 1 END", "sum(n) FILTER (getvariable('a'))",
    ],
)  # fmt: skip
def test_no_function_says_how_the_database_is_set_up(connection, call):
    for sql in (f"SELECT {call}", f"FROM orders WHERE id = {call}", f"VALUES ({call})"):
        assert refusal(connection, sql) == READ_ONLY


@pytest.mark.parametrize("call", ["sleep_ms(1)", "pg_sleep(1)", "main.sleep_ms(1)"])
def test_no_query_sleeps_while_others_wait(connection, call):
    assert refusal(connection, f"FROM orders SELECT {call}") == NO_SLEEP


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (COPY orders TO '/tmp/x') FROM x",
        "WITH x AS (INSERT INTO orders VALUES (1) RETURNING *) FROM x",
        "WITH x AS (UPDATE orders SET id = 1 RETURNING *) FROM x",
        "WITH x AS (DELETE FROM orders RETURNING *) FROM x",
        "SELECT (WITH x AS (DELETE FROM orders RETURNING *) SELECT 1 FROM x)",
        "SHOW DATABASES",
        "SHOW ALL TABLES",
        "FROM (SHOW DATABASES)",
    ],
)
def test_a_select_that_does_or_says_more_is_refused(connection, sql):
    assert refusal(connection, sql) == READ_ONLY


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("FROM order_", "order_"),
        ("FROM data", "data"),
        ('FROM "or""ders"', 'or"ders'),
        ("FROM orders, customer", "customer"),
        ("FROM other.orders", "other.orders"),
        ("FROM system.main.orders", "system.main.orders"),
        ("SHOW order_", "order_"),
        ("WITH a AS (FROM b), b AS (FROM orders) FROM a, c", "c"),
        ("FROM recurring.orders", "recurring.orders"),
        ("FROM pg_catalog.pg_settings", "pg_catalog.pg_settings"),
        ("FROM information_schema.tables", "information_schema.tables"),
        ("FROM 'https://example.com/x.csv'", "https://example.com/x.csv"),
    ],
)
def test_a_wrong_table_name_says_which_tables_there_are(connection, sql, name):
    assert refusal(connection, sql) == NO_TABLE.format(name)


def test_no_view_of_the_databases_own_is_a_table(connection):
    views = connection.execute(
        "SELECT schema_name, view_name FROM duckdb_views() WHERE internal"
    ).fetchall()
    assert len(views) > 40
    for schema, view in views:
        name = f"{schema}.{view}"
        assert refusal(connection, f"FROM {name}") == NO_TABLE.format(name)
        assert refusal(connection, f'FROM "{view}"') == NO_TABLE.format(view)
        if schema != "information_schema":  # which is not searched for names without a schema
            hidden = f'FROM (WITH "{view}" AS (SELECT 1) SELECT 1), "{view}"'
            assert refusal(connection, hidden).startswith(f'a WITH cannot be named "{view}"')


def test_what_cannot_be_parsed_is_refused(connection):
    assert refusal(connection, "FROM FROM").startswith("the query cannot be checked: ")
