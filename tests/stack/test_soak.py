"""Nothing is lost and nothing comes twice while functions die, and a real Prometheus sees it so.

The benchmarks' soak, shorter; what it leaves in Prometheus is what the dashboard and the rules are
tried on.
"""

import json
from collections.abc import Iterator

import pytest
import yaml

from tandem_tools.bench.soak import PROCESSORS, await_quiet, await_reports, soak
from tandem_tools.bench.soak_audit import Soaked, audit
from tandem_tools.harness import prometheus_program as prometheus
from tandem_tools.harness.prometheus import MONITORING, Prometheus, restart_report, running
from tandem_tools.harness.stack import DeployedApp, deployed_app, eventually

TASKS = 300
MORE_TASKS = 20
"""After the report was started anew: counters that Prometheus knows go on from there."""
KILLS = 3
PARAMETERS = {"WorkerTimeoutSeconds": "20", "VisibilityTimeoutSeconds": "24"}
"""As on AWS, a message stays hidden for longer than a worker may take with it."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    folder = tmp_path_factory.mktemp("stack")
    with deployed_app(folder, PARAMETERS, PROCESSORS) as running_app:
        yield running_app


@pytest.fixture(scope="module")
def asked(
    app: DeployedApp, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus | None]:
    """Prometheus from the stack's first minute on; None where there is no apt-get to fetch it."""
    if not prometheus.available():
        yield None
        return
    with running(app, tmp_path_factory.mktemp("prometheus")) as running_prometheus:
        yield running_prometheus


@pytest.fixture(scope="module")
def soaked(
    app: DeployedApp, asked: Prometheus | None, tmp_path_factory: pytest.TempPathFactory
) -> Soaked:
    """What was done, in minutes that more than one environment of the report has counted."""
    done = soak(app, tmp_path_factory.mktemp("soak"), tasks=TASKS, kills=KILLS)
    await_reports(app, asked)
    restart_report(app)
    for number in range(TASKS, TASKS + MORE_TASKS):
        app.submit("soak", {"number": number, "ledger": str(done.ledger)})
    await_quiet(app)
    await_reports(app, asked)
    return done


def test_every_task_ends_once_with_one_effect_and_is_counted_once_although_functions_are_killed(
    app: DeployedApp, soaked: Soaked, asked: Prometheus | None
) -> None:
    found = audit(app, soaked, asked)

    assert found.wrong == []
    ends = [found.figures[state] for state in ("succeeded", "failed", "cancelled")]
    assert sum(ends) == TASKS
    assert all(ends)
    assert soaked.kills > 0
    assert found.figures["attempts_lost"] > 0
    assert found.figures["report_restarts"] > 0
    assert found.figures["reported"] == TASKS + MORE_TASKS
    if asked is not None:
        assert found.figures["counted_by_prometheus"] == found.figures["reported"]

    again, *_ = soaked.ledger.read_text().splitlines()
    with soaked.ledger.open("a") as ledger:
        ledger.write(f"{again}\n")
    assert audit(app, soaked, asked).wrong, "the audit does not see an effect that is there twice"


@pytest.fixture(scope="module")
def monitored(soaked: Soaked, asked: Prometheus | None) -> Prometheus:
    if asked is None:
        pytest.skip("Prometheus comes from Debian's mirror: there is no apt-get")
    return asked


def dashboard_expressions() -> list[str]:
    dashboard = json.loads((MONITORING / "grafana" / "tandem.json").read_text())
    return [
        target["expr"].replace("$processor", ".*")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]


@pytest.mark.parametrize("expression", dashboard_expressions())
def test_every_panel_of_the_dashboard_has_data(monitored: Prometheus, expression: str) -> None:
    assert monitored.query(expression)


def rules(kind: str) -> dict[str, str]:
    document = yaml.safe_load((MONITORING / "rules" / "tandem.yml").read_text())
    return {
        rule[kind]: rule["expr"]
        for group in document["groups"]
        for rule in group["rules"]
        if kind in rule
    }


@pytest.mark.parametrize("name", rules("record"))
def test_every_recorded_series_has_data(monitored: Prometheus, name: str) -> None:
    eventually(lambda: monitored.query(name) or None, 20)


@pytest.mark.parametrize(("name", "expression"), rules("alert").items())
def test_every_alert_looks_at_series_that_are_there(
    monitored: Prometheus, name: str, expression: str
) -> None:
    watched, _, _ = expression.rpartition(" == " if " == " in expression else " > ")
    # What a rule takes away is of minutes ago, when nothing ran here yet.
    watched, _, _ = watched.partition("\n  - (")
    assert monitored.query(watched), f"{name} watches nothing"
