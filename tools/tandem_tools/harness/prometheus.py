"""A real Prometheus on the deployed stack."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tandem_tools.harness import prometheus_program as prometheus
from tandem_tools.harness.stack import DeployedApp, eventually
from tandem_tools.paths import PROJECT
from tandem_tools.ports import LOOPBACK, free_port
from tandem_tools.run.guard import Guard

MONITORING = PROJECT / "monitoring"
STOP_WITHIN_SECONDS = 20
CLOSED_THROUGH = "tandem_report_closed_through_timestamp_seconds"

SEVERAL_TIMES_A_MINUTE = {"scrape_interval": "10s", "evaluation_interval": "5s"}
"""A scrape that is given up after its interval goes on in the function: not oftener than that, or a
slow machine is slowed down more by each."""

type Kind = tuple[str, str, str]
"""A processor, a mode and an outcome."""


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._client = httpx2.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=10)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def query(self, expression: str) -> list[Any]:
        """Return the samples of an expression."""
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.is_success, answer.text
        found: list[Any] = answer.json()["data"]["result"]
        return found

    def counter(self, name: str) -> Counter[Kind]:
        """Return what a counter, or an expression over one, says of each kind of task."""
        return Counter(
            {kind_of(sample["metric"]): int(sample["value"][1]) for sample in self.query(name)},
        )

    def closed_through(self) -> float:
        """Return the end of the last window that it knows to be closed. 0 before there is one."""
        found = self.query(CLOSED_THROUGH)
        return float(found[0]["value"][1]) if found else 0.0

    def is_ready(self) -> bool | None:
        """Return whether it answers. None while it does not."""
        try:
            return self._client.get("/-/ready").is_success or None
        except httpx2.TransportError:
            return None


def kind_of(labels: dict[str, str]) -> Kind:
    """Return the kind of task that a sample is about."""
    return labels["processor"], labels["mode"], labels["outcome"]


@contextmanager
def running(app: DeployedApp, folder: Path) -> Iterator[Prometheus]:
    """Start Prometheus with the project's own configuration, but for what a deployment puts in.

    Args:
        app: the stack that it scrapes, by OAuth2 client credentials.
        folder: where it keeps what it finds, and its log.
    """
    prometheus.fetch()
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(_configuration(app, folder))
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                str(prometheus.PROMETHEUS),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    guard = Guard(process)
    asked = Prometheus(port)
    try:
        eventually(asked.is_ready, 30)
        yield asked
    finally:
        asked.close()
        guard.end(STOP_WITHIN_SECONDS)


def _configuration(app: DeployedApp, folder: Path) -> str:
    about = app.description
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = SEVERAL_TIMES_A_MINUTE
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
    text: str = yaml.safe_dump(configuration)
    return text


def restart_report(app: DeployedApp) -> None:
    """Have the next report run in a new environment. One that runs now may be cut short."""
    name = app.description.functions["report"]
    now = app.aws.functions.get_function_configuration(FunctionName=name)
    app.aws.functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": now["Environment"]["Variables"]}
    )
