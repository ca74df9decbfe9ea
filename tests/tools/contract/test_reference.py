"""The API reference shows every operation, with values that are the same in every run."""

import hashlib
import json
import re
from copy import deepcopy
from dataclasses import replace

import pytest

from tandem_tools.contract.reference.cli import DOCUMENT, PAGE
from tandem_tools.contract.reference.document import operations
from tandem_tools.contract.reference.page import NotShown, not_shown, page
from tandem_tools.contract.reference.scenario import SCENARIO
from tandem_tools.contract.reference.stable import Stable
from tandem_tools.contract.reference.steps import Exchange, Request, Step
from tandem_tools.paths import SAMPLE

IMPORTANT_ERRORS = {401, 403, 404, 409, 415, 422, 429}


@pytest.fixture
def document():
    return json.loads(DOCUMENT.read_text())


def exchange(step: Step, answer: object, **headers: str) -> Exchange:
    request = Request(step.caller, "GET", "/tasks", {}, {}, None)
    return Exchange(step, request, step.expects, headers, answer)


def steps() -> list[Step]:
    return [step for step in SCENARIO if isinstance(step, Step)]


def test_every_operation_is_in_the_scenario(document):
    good = [step.operation for step in steps() if step.expects < 400]
    assert not_shown(document, good) == [], "add a step (contract/reference/scenario.py)"


def test_the_important_errors_are_in_the_scenario():
    assert {step.expects for step in steps()} >= IMPORTANT_ERRORS


def test_every_operation_is_on_the_page(document):
    text = PAGE.read_text()
    for method, path, operation in operations(document):
        assert f"### `{method} {path}`" in text, "run: make docs"
        assert f"Operation `{operation['operationId']}`." in text


def test_the_page_holds_no_token_and_no_signature():
    text = PAGE.read_text()
    assert not re.search(r"ey[\w-]{10,}\.[\w-]+\.[\w-]+", text)
    # The one hash that is shown is of the sample file.
    sample = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    assert not re.search(r"[0-9a-f]{40}", text.replace(sample, ""))
    assert not re.search(r"(?:AKIA|ASIA)(?!EXAMPLE)", text)


def test_an_operation_without_an_exchange_is_refused_by_its_name(document):
    exchanges = [exchange(step, {}) for step in steps()]
    assert "## Errors" in page(document, exchanges)
    more = deepcopy(document)
    more["paths"]["/new"] = {"get": document["paths"]["/health"]["get"] | {"operationId": "newest"}}
    with pytest.raises(NotShown, match="newest"):
        page(more, exchanges)


def test_a_changed_answer_changes_the_page(document):
    exchanges = [exchange(step, {"task_id": "1"}) for step in steps()]
    changed = [*exchanges[:-1], replace(exchanges[-1], answer={"task_id": "1", "more": 1})]
    assert page(document, exchanges) != page(document, changed)


def run(number: int) -> list[Exchange]:
    """Return two exchanges as one run of the scenario would have them."""
    task = f"01a205bb-0571-72ed-94d8-{number:012d}"
    first = {
        "task_id": task,
        "created_at": f"2026-11-23T00:07:{number:02d}.502000Z",
        "duration_ms": number,
        "request_id": f"request {number}",
        "fields": {"x-amz-signature": f"{number:064x}", "key": f"uploads/client{number}/{task}"},
        "note": f"in bucket{number}",
    }
    step = Step("get_task", "")
    second = exchange(step, None, location=f"http://{number}/b?X-Amz-Signature={number:064x}&a=b")
    request = replace(second.request, path=f"/tasks/{task}", headers={"if-none-match": f"{number}"})
    return [exchange(step, first, etag=f'"{number}"'), replace(second, request=request)]


def stable_run(number: int) -> list[Exchange]:
    known = {f"client{number}": "a-client", f"bucket{number}": "a-bucket", f"http://{number}": ""}
    stable = Stable(known)
    return [replace(stable.exchange(one), step=Step("get_task", "")) for one in run(number)]


def test_two_runs_have_the_same_values_and_ids_stay_linked():
    def seen(one: Exchange) -> tuple[object, ...]:
        return (one.request.path, one.request.headers, one.headers, one.answer)

    assert [seen(one) for one in stable_run(3)] == [seen(one) for one in stable_run(44)]
    first, second = stable_run(5)
    assert second.request.path == f"/tasks/{first.answer['task_id']}"
    assert first.answer["fields"]["key"] == f"uploads/a-client/{first.answer['task_id']}"
    assert "0" * 32 not in json.dumps([first.answer, dict(second.headers)])
