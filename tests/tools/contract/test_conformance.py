"""What Schemathesis is told leaves every check on, and hides no refusal."""

import tomllib
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from schemathesis import CheckContext, HookContext

from tandem_tools.contract.conformance import hooks
from tandem_tools.contract.conformance.run import CONFIGURATION

NOTHING: Any = SimpleNamespace()
HOOK: HookContext = NOTHING
CHECK: CheckContext = NOTHING


def test_no_check_and_no_operation_is_switched_off():
    def switches(part: Any) -> list[Any]:
        if isinstance(part, list):
            return [one for inner in part for one in switches(inner)]
        if isinstance(part, dict):
            inner = [one for value in part.values() for one in switches(value)]
            return [*inner, part["enabled"]] if "enabled" in part else inner
        return []

    configured = tomllib.loads(CONFIGURATION.read_text())
    del configured["cache"]
    assert switches(configured) == [True]
    assert not [name for one in configured["operations"] for name in one if "exclude" in name]


def test_valid_work_is_made_small_and_other_work_stays_as_it_is():
    def mapped(blocks: Any) -> Any:
        body = {"processor": "hash-blocks", "input": {"blocks": blocks}}
        several = hooks.map_body(HOOK, {"tasks": [body]})
        return several["tasks"][0]["input"]["blocks"]

    assert [mapped(value) for value in (3, 1000, 1024)] == [3, 8, 8]
    assert [mapped(value) for value in (0, 1025, "9", None)] == [0, 1025, "9", None]
    assert hooks.map_query(HOOK, {"blocks": 256, "block_mb": 17}) == {"blocks": 8, "block_mb": 17}
    assert hooks.map_body(HOOK, "text") == "text"


def refused(kind: str, *details: str, valid: bool = True) -> None:
    problem = {
        "type": f"urn:tandem:problem:{kind}",
        "errors": [{"pointer": "/body", "detail": detail} for detail in details],
    }
    mode = SimpleNamespace(is_positive=valid)
    case: Any = SimpleNamespace(meta=SimpleNamespace(generation=SimpleNamespace(mode=mode)))
    response: Any = httpx2.Response(422, json=problem)
    hooks.refused_for_a_reason(CHECK, response, case)


def test_valid_data_may_be_refused_by_a_processor_or_by_a_rule_beyond_json_schema():
    refused("task-failed")
    refused("invalid-request", "It is more than 5 days ahead.")
    refused("invalid-request", "Field required", valid=False)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("invalid-request", ["Field required"]),
        ("invalid-request", ["It is more than 5 days ahead.", "Field required"]),
        ("unsupported-media-type", []),
    ],
)
def test_any_other_refusal_of_valid_data_is_found(kind: str, details: list[str]) -> None:
    with pytest.raises(AssertionError, match="Valid by the document"):
        refused(kind, *details)
