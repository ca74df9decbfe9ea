"""A real Prometheus on the deployed stack: what it counts is what the store holds."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from local import prometheus
from local.paths import PROJECT
from local.ports import LOOPBACK, free_port
from tests.stack.stack import DeployedApp, eventually

MONITORING = PROJECT / "monitoring"
FAILING = {"rows": [{"a": 1}], "sql": "SELECT missing FROM data"}
FINAL = frozenset({"succeeded", "failed", "cancelled"})
WINDOW_CLOSED_WITHIN_SECONDS = 150

type Kind = tuple[str, str, str]

pytestmark = pytest.mark.skipif(
    not prometheus.available(), reason="Prometheus comes from Debian's mirror: there is no apt-get"
)


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._client = httpx2.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=10)

    def close(self) -> None:
        self._client.close()

    def query(self, expression: str) -> list[Any]:
        """Return the samples of an expression."""
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.is_success, answer.text
        found: list[Any] = answer.json()["data"]["result"]
        return found

    def tasks(self) -> Counter[Kind]:
        """Return how many tasks it has counted of each kind."""
        return Counter(
            {
                kind_of(one["metric"]): int(one["value"][1])
                for one in self.query("tandem_tasks_total")
            }
        )

    def is_ready(self) -> bool | None:
        try:
            return self._client.get("/-/ready").is_success or None
        except httpx2.TransportError:
            return None


def kind_of(labels: dict[str, str]) -> Kind:
    return labels["processor"], labels["mode"], labels["outcome"]


@contextmanager
def running(app: DeployedApp, folder: Path) -> Iterator[Prometheus]:
    """Start Prometheus with the project's own configuration, but for what a deployment puts in."""
    prometheus.fetch()
    about = app.description
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(MONITORING / "rules" / "tandem.yml")]
    (job,) = configuration["scrape_configs"]
    (folder / "secret").write_text(about.operator_client_secret)
    job["scheme"] = "http"
    job["oauth2"] |= {
        "client_id": about.operator_client_id,
        "client_secret_file": str(folder / "secret"),
        "token_url": about.token_url,
    }
    job["static_configs"] = [{"targets": [about.url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - Debian's program
            [
                str(prometheus.PROMETHEUS),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    asked = Prometheus(port)
    try:
        eventually(asked.is_ready, 30)
        yield asked
    finally:
        asked.close()
        process.terminate()
        process.wait(20)


def exposed(app: DeployedApp) -> Counter[Kind]:
    """Return how many tasks `/metrics` counts of each kind."""
    text = app.operator.get("/metrics").raise_for_status().text
    return Counter(
        {
            kind_of(one.labels): int(one.value)
            for family in text_string_to_metric_families(text)
            for one in family.samples
            if one.name == "tandem_tasks_total"
        }
    )


def stored(app: DeployedApp) -> Counter[Kind]:
    """Return how many finished tasks the table holds of each kind."""
    pages = app.aws.dynamodb.get_paginator("scan").paginate(TableName=app.description.table)
    tasks = (item for page in pages for item in page["Items"] if "processor" in item)
    return Counter(
        (one["processor"]["S"], one["mode"]["S"], one["state"]["S"])
        for one in tasks
        if one["state"]["S"] in FINAL
    )


def work(app: DeployedApp) -> Counter[Kind]:
    """Run tasks on both paths, one of which fails, and return what has finished by then."""
    for _ in range(3):
        app.finished(app.submit("echo", {"message": "hello"}))
        online = {"processor": "echo", "input": {"message": "hello"}}
        app.machine.post("/process-online", json=online).raise_for_status()
    app.finished(app.submit("query-table", FAILING))
    return stored(app)


def restart_report(app: DeployedApp) -> None:
    """Have the next report run in a new environment."""
    name = app.description.functions["report"]
    now = app.aws.functions.get_function_configuration(FunctionName=name)
    app.aws.functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": now["Environment"]["Variables"]}
    )


@pytest.fixture(scope="module")
def monitored(
    app: DeployedApp, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, Counter[Kind]]]:
    """Prometheus after two windows with work in them, and what had finished in both."""

    def has_counted(wanted: Counter[Kind]) -> bool | None:
        return wanted <= exposed(app) or None

    first = work(app)
    eventually(lambda: has_counted(first), WINDOW_CLOSED_WITHIN_SECONDS)
    with running(app, tmp_path_factory.mktemp("prometheus")) as asked:
        eventually(lambda: first <= asked.tasks() or None, 30)
        restart_report(app)
        second = work(app)
        eventually(lambda: second <= asked.tasks() or None, WINDOW_CLOSED_WITHIN_SECONDS)
        yield asked, second


@pytest.mark.timeout(500)
def test_counters_equal_the_store(
    app: DeployedApp, monitored: tuple[Prometheus, Counter[Kind]]
) -> None:
    asked, _ = monitored

    def equal() -> bool | None:
        return asked.tasks() == stored(app) or None

    eventually(equal, WINDOW_CLOSED_WITHIN_SECONDS)


def dashboard_expressions() -> list[str]:
    dashboard = json.loads((MONITORING / "grafana" / "tandem.json").read_text())
    return [
        target["expr"].replace("$processor", ".*")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]


@pytest.mark.timeout(500)
@pytest.mark.parametrize("expression", dashboard_expressions())
def test_every_panel_of_the_dashboard_has_data(
    monitored: tuple[Prometheus, Counter[Kind]], expression: str
) -> None:
    asked, _ = monitored
    assert asked.query(expression)


def rules(kind: str) -> dict[str, str]:
    document = yaml.safe_load((MONITORING / "rules" / "tandem.yml").read_text())
    return {
        rule[kind]: rule["expr"]
        for group in document["groups"]
        for rule in group["rules"]
        if kind in rule
    }


@pytest.mark.timeout(500)
@pytest.mark.parametrize("name", rules("record"))
def test_every_recorded_series_has_data(
    monitored: tuple[Prometheus, Counter[Kind]], name: str
) -> None:
    asked, _ = monitored
    eventually(lambda: asked.query(name) or None, 20)


@pytest.mark.timeout(500)
@pytest.mark.parametrize(("name", "expression"), rules("alert").items())
def test_every_alert_looks_at_series_that_are_there(
    monitored: tuple[Prometheus, Counter[Kind]], name: str, expression: str
) -> None:
    asked, _ = monitored
    watched, _, _ = expression.rpartition(" == " if " == " in expression else " > ")
    assert asked.query(watched), f"{name} watches nothing"
