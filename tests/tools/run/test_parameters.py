"""`make run` takes the template's parameters from PARAMETERS, as `make deploy` does."""

import pytest

from tandem_tools.deploy.parameters import pairs
from tandem_tools.errors import ToolError
from tandem_tools.run import commands
from tandem_tools.run.stack import LOCAL_PARAMETERS, OF_THIS_MACHINE
from tandem_tools.template import load_template


def told(monkeypatch: pytest.MonkeyPatch, said: str) -> dict[str, str]:
    monkeypatch.setenv("PARAMETERS", said)
    return commands._parameters(pairs(said))


def test_what_is_said_reaches_the_stack_beside_the_workers_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = told(monkeypatch, "")
    more = told(monkeypatch, "CorsOrigins=http://127.0.0.1:5173 LogLevel=DEBUG")
    assert more == usual | {"CorsOrigins": "http://127.0.0.1:5173", "LogLevel": "DEBUG"}
    assert usual.keys() == {"WorkerTimeoutSeconds", "VisibilityTimeoutSeconds"}
    assert told(monkeypatch, "WorkerTimeoutSeconds=900")["VisibilityTimeoutSeconds"] == "5400"
    assert told(monkeypatch, "WorkerTimeoutSeconds=30")["WorkerTimeoutSeconds"] == "30"
    longer = told(monkeypatch, "VisibilityTimeoutSeconds=6000 WorkerTimeoutSeconds=900")
    assert longer["VisibilityTimeoutSeconds"] == "6000"


@pytest.mark.parametrize("name", sorted(OF_THIS_MACHINE))
def test_what_this_machine_has_by_itself_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert {name, *LOCAL_PARAMETERS} <= load_template()["Parameters"].keys()
    with pytest.raises(ToolError, match=rf"make run itself says {name}\."):
        told(monkeypatch, f"{name}=x")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("CorsOrigins=http://127.0.0.1:5173/", "must match"),
        ("CorsOrigin=*", r"no such parameter\. Perhaps CorsOrigins"),
        ("SnapStart=true ApiProvisionedConcurrency=1", "exclude each other"),
        ("CorsOrigins", "Expected Name=value"),
        ("CorsOrigins=* CorsOrigins=https://example.com", "CorsOrigins is said twice"),
        ("WorkerTimeoutSeconds=banana", "must be a number"),
        ("VisibilityTimeoutSeconds=x", "must be a number"),
        ("VisibilityTimeoutSeconds=30", "is less than 6 x WorkerTimeoutSeconds"),
    ],
)
def test_what_a_deployment_would_refuse_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, said: str, why: str
) -> None:
    monkeypatch.setattr(commands, "_is_running", lambda: pytest.fail("it went on"))
    monkeypatch.setenv("PARAMETERS", said)
    with pytest.raises(ToolError, match=why):
        commands.up(8000, 4566)
