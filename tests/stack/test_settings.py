"""Settings of processors on the stack: read from its secret, and again when they have changed."""

import json
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tandem_tools.harness.stack import DeployedApp, Json, eventually
from tandem_tools.settings.stack import SettingsSecret
from tests.stack.test_redaction import FUNCTIONS, logged

TASK = {"processor": "knowing", "input": {}}


def online(app: DeployedApp) -> Json:
    answer: Json = app.machine.post("/process-online", json=TASK).json()
    return answer


def put(app: DeployedApp, **settings: str) -> None:
    """Give the stack's secret another body, as an operator does."""
    app.aws.secrets_manager.put_secret_value(
        SecretId=app.description.settings_secret, SecretString=json.dumps(settings)
    )


def test_both_functions_that_run_processors_have_their_settings(app: DeployedApp) -> None:
    output = online(app)["output"]
    assert output == {
        "characters": len("friend"),
        "settings": {"known_word": "**********", "known_times": 1},
    }
    task_id = app.submit("knowing", {})
    assert app.finished(task_id)["state"] == "succeeded"
    assert app.machine.get(f"/tasks/{task_id}/result").json() == output


def test_a_new_value_is_used_by_what_runs_with_no_deployment(app: DeployedApp) -> None:
    try:
        put(app, KNOWN_WORD="another-word", KNOWN_TIMES="2", OTHER="x")

        def used() -> bool | None:
            return online(app)["output"]["characters"] == 2 * len("another-word") or None

        assert eventually(used, within_seconds=10)
    finally:
        put(app, KNOWN_WORD="friend")


@pytest.fixture
def detailed(app: DeployedApp) -> Iterator[None]:
    """Let the functions log all that they log at any level."""
    before = {name: app.variables(name)["POWERTOOLS_LOG_LEVEL"] for name in FUNCTIONS}
    for name in FUNCTIONS:
        app.configure(name, POWERTOOLS_LOG_LEVEL="DEBUG")
    yield
    for name, level in before.items():
        app.configure(name, POWERTOOLS_LOG_LEVEL=level)


def offline(app: DeployedApp) -> Json:
    task_id = app.submit("knowing", {})
    assert app.finished(task_id)["state"] == "succeeded"
    output: Json = app.machine.get(f"/tasks/{task_id}/result").raise_for_status().json()
    return output


@pytest.mark.usefixtures("detailed")
def test_settings_set_reaches_both_paths_within_the_age_and_no_log(app: DeployedApp) -> None:
    old, new = (f"{name}{uuid4().hex}" for name in ("old", "newer"))
    secret = SettingsSecret(app.aws.secrets_manager, app.description.settings_secret)
    age = int(app.variables("worker")["SETTINGS_MAX_AGE_SECONDS"])
    assert age == 1
    try:
        secret.change(lambda body: body | {"KNOWN_WORD": old})
        time.sleep(age)
        for path in (online(app)["output"], offline(app)):
            assert path["characters"] == len(old)
        functions = {name: deployed(app, name) for name in ("api", "worker")}
        starts = [cold_starts(app, name) for name in functions]
        assert min(starts) > 0
        secret.change(lambda body: body | {"KNOWN_WORD": new})
        time.sleep(age)
        for path in (online(app)["output"], offline(app)):
            assert path["characters"] == len(new)
        assert {name: deployed(app, name) for name in functions} == functions
        assert [cold_starts(app, name) for name in functions] == starts
        for ending in ("error", "permanent", "log"):
            body = {"processor": "knowing", "input": {"ending": ending}}
            app.machine.post("/process-online", json=body)
            app.finished(app.submit("knowing", {"ending": ending}))
    finally:
        put(app, KNOWN_WORD="friend")
    lines = [*logged(app), *app.log_file.read_text(errors="replace").splitlines()]
    for message in ("attempt failed", "knows", "**********"):
        assert [line for line in lines if message in line]
    assert [line for line in lines if old in line or new in line] == []


def deployed(app: DeployedApp, function: str) -> tuple[str, str]:
    """Return what changes when a function's code or configuration is updated."""
    found = app.aws.functions.get_function_configuration(
        FunctionName=app.description.functions[function]
    )
    return found["LastModified"], found["RevisionId"]


def cold_starts(app: DeployedApp, function: str) -> int:
    """Return how often the emulator has started an environment of a function."""
    name = app.description.functions[function]
    return app.log_file.read_text(errors="replace").count(f"Lambda worker spawned for {name} ")


def test_a_setting_that_is_wrong_or_missing_fails_its_tasks_by_name(app: DeployedApp) -> None:
    try:
        put(app, KNOWN_TIMES="friendly-word")

        def failed() -> str | None:
            answer = online(app)
            return answer["detail"] if answer.get("status") == 500 else None

        detail = eventually(failed, within_seconds=10)
        said = "settings of knowing: KNOWN_WORD is missing; KNOWN_TIMES is wrong (int_parsing)"
        assert said in detail
        task = app.finished(app.submit("knowing", {}))
        assert (task["state"], task["attempts"]) == ("failed", 1)
        assert task["error"]["message"] == said
    finally:
        put(app, KNOWN_WORD="friend")
    for function in ("api", "worker"):
        assert "friendly-word" not in json.dumps(app.log_entries(function))
