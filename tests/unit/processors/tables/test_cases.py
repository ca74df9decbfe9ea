"""Tables as people send them, given to the processors: each question has its right answer."""

import pytest
from pydantic import BaseModel

from processors.tables import convert, query, summarize
from tandem.processing import Permanent
from tandem.testing import FakeContext
from tests.factories.asked_tables import CASES
from tests.factories.table_cases import Case, Outcome, read_output

PROCESSORS = {
    "summarize-table": (summarize.summarize_table, summarize.Input),
    "query-table": (query.query_table, query.Input),
    "convert-table": (convert.convert_table, convert.Input),
}


def outcome_of(case: Case) -> Outcome:
    """Return what the processor itself makes of a case."""
    processor, model = PROCESSORS[case.processor]
    context = FakeContext(uploads=case.uploads())
    try:
        output: BaseModel = processor.run(
            model.model_validate(case.input({table: table for table in case.files})), context
        )
    except Permanent as refused:
        return Outcome(refused=refused.reason)
    return Outcome(read_output(output.model_dump_json()), *context.saved.values())


@pytest.mark.parametrize("title", CASES)
def test_the_answer_is_right(title: str) -> None:
    case = CASES[title]
    assert case.seen(outcome_of(case)) == case.right


def test_a_wrong_figure_would_be_seen() -> None:
    case = CASES["nanoseconds are kept"]
    figures = {"type": "DATE", "distinct": 1, "min": "2024-01-05"}
    output = {"rows": 2, "columns": [{"name": "t"} | figures]}
    assert case.seen(Outcome(output)) != case.right


def test_a_refusal_would_be_seen() -> None:
    assert all(
        case.seen(Outcome(refused="the disk is full")) != case.right for case in CASES.values()
    )
