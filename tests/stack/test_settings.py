"""Settings of processors on the stack: read from its secret, and again when they have changed."""

import json

from tandem_tools.harness.stack import DeployedApp, Json, eventually

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
