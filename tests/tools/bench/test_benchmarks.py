"""What the pages say was measured is what was measured."""

import json

import pytest

from tandem_tools.bench.cli import PAGE, RESULTS, quoting


@pytest.mark.parametrize("page", [PAGE], ids=lambda page: page.name)
def test_a_page_quotes_the_results_of_the_last_bench(page):
    text = page.read_text()

    assert quoting(text, json.loads(RESULTS.read_text())) == text


def test_tables_are_put_between_the_marks_and_nothing_else_is_touched():
    results = {"throughput": {"tasks": 500, "seconds": 4.0, "tasks_per_second": 125.0}}
    page = "before\n<!-- make bench -->\nold\n<!-- end of make bench -->\nafter\n"

    quoted = quoting(page, results)

    assert quoted.startswith("before\n<!-- make bench -->\n\n| queue to finished task")
    assert "| `echo`, offline | 500 | 4.0 | 125 |\n\n<!-- end of make bench -->\nafter\n" in quoted
    assert "old" not in quoted
