"""The scenario's actions beside its requests, and the states of the stack during some."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx2

from tandem_tools.harness.stack import DeployedApp
from tandem_tools.paths import SAMPLE


def make_plans(_app: DeployedApp, kept: dict[str, str]) -> None:
    """Keep a time that lies ahead."""
    kept["in_an_hour"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")


def send_file(_app: DeployedApp, kept: dict[str, str]) -> None:
    """Send the sample table with the form that the API gave."""
    form = json.loads(kept["form"])
    httpx2.post(
        form["url"],
        data=form["fields"],
        files={"file": (SAMPLE.name, SAMPLE.read_bytes())},
        timeout=30,
    ).raise_for_status()


def cancel_other(app: DeployedApp, kept: dict[str, str]) -> None:
    """Cancel a second task, so that a list of one has a next page."""
    app.machine.post(f"/tasks/{kept['other']}/cancel").raise_for_status()


@contextmanager
def small_quota(app: DeployedApp) -> Iterator[None]:
    """Deploy ApiFunction with a quota of one task in a hundred seconds, for a while."""
    function = app.description.functions["api"]
    functions = app.aws.functions
    before = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    quota = {"TENANT_TASKS_PER_SECOND": "0.01", "TENANT_TASKS_BURST": "1"}
    try:
        functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": before | quota}
        )
        yield
    finally:
        functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": before}
        )
