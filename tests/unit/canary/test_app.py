"""The hook itself: whom it tells, and what of an invocation it takes for a failure."""

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tandem.canary import aws
from tandem.canary.trial import CheckFailed, Trial, Verdict
from tandem.handlers import canary
from tandem.lambda_events import LambdaContextStub

HOOK = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "execution"}
PASSED = Verdict(passed_checks=["health"])
FAILED = Verdict(passed_checks=[], failed_check="health", reason="it answered 500")


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[str, Stubber]:
    made = {
        name: boto3.client(
            name,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        for name in ("lambda", "codedeploy")
    }
    monkeypatch.setattr(boto3, "client", lambda name, **_: made[name])
    stubs = {name: Stubber(client) for name, client in made.items()}
    for stub in stubs.values():
        stub.activate()
    return stubs


def hook(event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = canary.handler(event, LambdaContextStub())  # type: ignore[arg-type]
    return answer


@pytest.mark.parametrize(("verdict", "status"), [(PASSED, "Succeeded"), (FAILED, "Failed")])
def test_codedeploy_is_told_what_was_found(
    clients: dict[str, Stubber], monkeypatch: pytest.MonkeyPatch, verdict: Verdict, status: str
) -> None:
    monkeypatch.setattr(Trial, "verdict", lambda _: verdict)
    clients["codedeploy"].add_response(
        "put_lifecycle_event_hook_execution_status",
        {},
        {
            "deploymentId": "d-ABCDEF123",
            "lifecycleEventHookExecutionId": "execution",
            "status": status,
        },
    )
    assert hook(HOOK)["status"] == status
    clients["codedeploy"].assert_no_pending_responses()


def test_by_hand_nobody_is_told(
    clients: dict[str, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "verdict", lambda _: PASSED)
    assert hook({}) == {"status": "Succeeded", "passed": ["health"]}


def test_codedeploy_hears_of_a_failure_when_nothing_can_be_tried(
    clients: dict[str, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr(canary, "tell_codedeploy", lambda _, passed: told.append(passed))
    assert hook(HOOK)["reason"] == "SettingsError"
    assert told == [False]


def answer(document: Any, **more: str) -> dict[str, Any]:
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(document).encode())} | more


def test_a_version_is_invoked_by_its_arn(clients: dict[str, Stubber]) -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:api:7"
    clients["lambda"].add_response(
        "invoke", answer({"statusCode": 200}), {"FunctionName": arn, "Payload": b'{"a": 1}'}
    )
    assert aws.LambdaFunctions().invoke(arn, {"a": 1}) == {"statusCode": 200}


def test_a_function_that_ends_with_an_error_failed_the_check(clients: dict[str, Stubber]) -> None:
    error = {"errorType": "Runtime.ImportModuleError", "errorMessage": "no module" + "!" * 900}
    clients["lambda"].add_response("invoke", answer(error, FunctionError="Unhandled"))
    with pytest.raises(CheckFailed, match=r"Runtime\.ImportModuleError: no module") as failed:
        aws.LambdaFunctions().invoke("api", {})
    assert len(str(failed.value)) == 300


def throttle(clients: dict[str, Stubber], times: int) -> None:
    for _ in range(times):
        clients["lambda"].add_client_error(
            "invoke", "TooManyRequestsException", "Rate Exceeded.", http_status_code=429
        )


def test_a_call_that_lambda_has_no_room_for_is_made_again(clients: dict[str, Stubber]) -> None:
    throttle(clients, 3)
    clients["lambda"].add_response("invoke", answer({"statusCode": 200}))
    waits: list[float] = []
    assert aws.LambdaFunctions(sleep=waits.append).invoke("api", {}) == {"statusCode": 200}
    assert waits == [0, 1, 2, 4]


def test_a_release_that_gets_no_room_for_a_minute_is_refused(clients: dict[str, Stubber]) -> None:
    throttle(clients, 7)
    waits: list[float] = []
    with pytest.raises(CheckFailed, match="no room for it for 60 s"):
        aws.LambdaFunctions(sleep=waits.append).invoke("api", {})
    assert sum(waits) == 60


def test_another_refusal_of_lambda_is_not_tried_again(clients: dict[str, Stubber]) -> None:
    clients["lambda"].add_client_error("invoke", "AccessDeniedException")
    waits: list[float] = []
    with pytest.raises(ClientError):
        aws.LambdaFunctions(sleep=waits.append).invoke("api", {})
    assert waits == [0]
