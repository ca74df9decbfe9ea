"""Rules, metrics and dashboard, checked with Prometheus' own tool and against each other."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tandem_tools.harness import prometheus_program as prometheus
from tandem_tools.paths import PROJECT
from tests.unit.http.conftest import Api
from tests.unit.runbook import SECTIONS

MONITORING = PROJECT / "monitoring"

pytestmark = pytest.mark.skipif(
    not prometheus.available(), reason="promtool comes from Debian's mirror: there is no apt-get"
)


def promtool(*arguments: str, given: str | None = None) -> str:
    prometheus.fetch()
    done = subprocess.run(  # noqa: S603 - Debian's program
        [str(prometheus.PROMTOOL), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_the_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(MONITORING / "rules" / "tandem.yml"))


def test_the_rules_do_what_their_tests_say() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(MONITORING / "tests" / "tandem.yml"))


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    configuration = (MONITORING / "prometheus.yml").read_text()
    (tmp_path / "rules").symlink_to(MONITORING / "rules")
    (tmp_path / "secret").touch()
    secret = "/etc/prometheus/tandem-client-secret"
    assert secret in configuration
    file = tmp_path / "prometheus.yml"
    file.write_text(configuration.replace(secret, str(tmp_path / "secret")))
    assert "SUCCESS" in promtool("check", "config", str(file))


def test_the_metrics_have_no_faults(api: Api) -> None:
    api("POST", "/process-online", {"processor": "echo", "input": {"message": 1}})
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due())
    assert promtool("check", "metrics", given=api("GET", "/metrics").text) == ""


def alerts() -> list[dict[str, dict[str, str]]]:
    document = yaml.safe_load((MONITORING / "rules" / "tandem.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"] if "alert" in rule]


def test_every_alert_leads_to_a_section_of_the_runbook() -> None:
    for rule in alerts():
        file, _, section = rule["annotations"]["runbook"].partition("#")
        assert file == "docs/operations.md"
        assert section in SECTIONS, rule["alert"]


def test_every_alert_is_tried() -> None:
    tried = (MONITORING / "tests" / "tandem.yml").read_text()
    for rule in alerts():
        assert f"alertname: {rule['alert']}" in tried


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard = json.loads((MONITORING / "grafana" / "tandem.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
