"""The release's own test on the deployed functions, invoked by hand as CodeDeploy would."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest

from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.harness.stack import DeployedApp

CHECKS = ["health", "online", "offline", "callback", "report"]


@pytest.fixture(scope="module")
def verdict(app: DeployedApp) -> dict[str, object]:
    return app.invoke("canary", {})


def test_the_deployed_release_passes(verdict: dict[str, object]) -> None:
    assert verdict == {"status": "Succeeded", "passed": CHECKS}


def test_it_tries_published_versions_and_not_what_the_function_is_now(app: DeployedApp) -> None:
    name = app.description.functions["canary"]
    variables = app.aws.functions.get_function_configuration(FunctionName=name)["Environment"]
    versions = {
        short: variables["Variables"][f"{short.upper()}_VERSION"]
        for short in ("api", "worker", "callback", "report")
    }
    for short, arn in versions.items():
        function, _, version = arn.rpartition(":")
        assert function.endswith(f":{app.description.functions[short]}")
        assert version.isdigit()


@pytest.mark.usefixtures("verdict")
def test_its_tasks_are_its_own(app: DeployedApp) -> None:
    tenants = {
        item["tenant"]["S"]
        for page in app.aws.dynamodb.get_paginator("scan").paginate(TableName=app.description.table)
        for item in page["Items"]
        if "tenant" in item
    }
    assert "canary" in tenants
    listed = app.machine.get("/tasks").raise_for_status().json()["tasks"]
    assert not any(task.get("tenant") == "canary" for task in listed)


def test_requests_messages_and_ticks_go_to_the_live_alias(app: DeployedApp) -> None:
    live = ":live"
    (integration,) = app.aws.http_apis.get_integrations(
        ApiId=api_id(app),
    )["Items"]
    assert integration["IntegrationUri"].endswith(live)
    mappings = app.aws.functions.list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == 2
    assert all(one["FunctionArn"].endswith(live) for one in mappings)


def api_id(app: DeployedApp) -> str:
    apis = app.aws.http_apis.get_apis()["Items"]
    assert len(apis) == 1
    return apis[0]["ApiId"]


@contextmanager
def without_invoking(app: DeployedApp, function: str) -> Iterator[None]:
    """Take away the canary's permission to invoke one function."""
    iam = boto3.client(
        "iam",
        endpoint_url=app.description.endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )
    canary = app.aws.functions.get_function_configuration(
        FunctionName=app.description.functions["canary"]
    )
    policy = {"RoleName": canary["Role"].rpartition("/")[2], "PolicyName": "canary"}
    whole = iam.get_role_policy(**policy)["PolicyDocument"]
    less = json.loads(json.dumps(whole))
    (statement,) = (one for one in less["Statement"] if one["Sid"] == "Try")
    name = app.description.functions[function]
    statement["Resource"] = [arn for arn in statement["Resource"] if name not in arn]
    assert len(statement["Resource"]) == 3
    iam.put_role_policy(**policy, PolicyDocument=json.dumps(less))
    try:
        yield
    finally:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps(whole))


@pytest.mark.parametrize(
    ("function", "check"),
    [("api", "health"), ("worker", "offline"), ("callback", "callback"), ("report", "report")],
)
def test_it_needs_each_of_its_permissions_and_refuses_without(
    app: DeployedApp, function: str, check: str
) -> None:
    with without_invoking(app, function):
        found = app.invoke("canary", {})
    assert (found["status"], found["failed"]) == ("Failed", check)
    assert found["passed"] == CHECKS[: CHECKS.index(check)]
