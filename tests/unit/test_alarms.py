"""Alarms watch metrics that exist, tell someone, and lead to what is to be done."""

import json
import re

import pytest

from local.template import TEMPLATE_FILE, Node, load_template
from tandem.cloudwatch import CloudWatchSink, emit_run
from tandem.domain.clock import SystemClock
from tandem.domain.report import Totals, compile_report
from tandem.domain.tally import Tally
from tandem.domain.window import Window
from tests.unit.metrics import Metric, is_documented, of_alarm

TEMPLATE = load_template()
RESOURCES: Node = TEMPLATE["Resources"]
ALARMS: dict[str, Node] = {
    name: one["Properties"]
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::CloudWatch::Alarm"
}
METRICS = {name: of_alarm(alarm) for name, alarm in ALARMS.items()}

RUNBOOK = (TEMPLATE_FILE.parent / "docs" / "operations.md").read_text()


def sections(page: str) -> dict[str, str]:
    """Return the sections of a page by the anchors that lead to them."""
    parts = re.split(r"^##+ (.+)$", page, flags=re.MULTILINE)[1:]
    return {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-"): text
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_the_topic_and_leads_to_a_section_of_the_runbook(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
    section = alarm["AlarmDescription"].partition("docs/operations.md#")[2]
    assert section in sections(RUNBOOK)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_a_metric_that_aws_documents_or_our_own(name: str) -> None:
    theirs = [one for one in METRICS[name] if one.namespace.startswith("AWS/")]
    assert METRICS[name]
    assert [one for one in theirs if not is_documented(one)] == []


def test_a_metric_of_another_kind_of_api_is_not_taken_for_an_http_apis() -> None:
    dimensions = (("ApiId", "HttpApi"),)
    assert is_documented(Metric("AWS/ApiGateway", "5xx", dimensions, "Sum"))
    assert not is_documented(Metric("AWS/ApiGateway", "5XXError", dimensions, "Sum"))
    assert not is_documented(Metric("AWS/ApiGateway", "5xx", (("ApiName", "x"),), "Sum"))
    assert not is_documented(Metric("AWS/Nothing", "5xx", dimensions, "Sum"))


def test_a_report_that_stays_away_is_an_alarm_too() -> None:
    dead_man = ALARMS["ReportMissingAlarm"]
    assert (dead_man["MetricName"], dead_man["TreatMissingData"]) == ("WindowsClosed", "breaching")


def test_an_alarm_on_what_is_written_of_windows_is_right_even_when_one_was_written_twice() -> None:
    dead_man = ALARMS["ReportMissingAlarm"]
    assert (dead_man["Statistic"], dead_man["Period"]) == ("Maximum", 60)
    assert RESOURCES["ReportMissingAlarm"]["Condition"] == "ReportsToCloudWatch"


@pytest.mark.parametrize("name", ["TableReadThrottlesAlarm", "TableWriteThrottlesAlarm"])
def test_the_table_is_watched_with_every_index(name: str) -> None:
    indexes = RESOURCES["TaskTable"]["Properties"]["GlobalSecondaryIndexes"]
    watched = [dict(one.dimensions) for one in METRICS[name]]
    assert all(one["TableName"] == "TaskTable" for one in watched)
    assert [one.get("GlobalSecondaryIndexName") for one in watched] == [
        None,
        *(index["IndexName"] for index in indexes),
    ]


def test_every_function_that_serves_and_every_dead_letter_queue_is_watched() -> None:
    watched = {
        (one.name, value)
        for metrics in METRICS.values()
        for one in metrics
        for _, value in one.dimensions
    }
    kinds = {name: one["Type"] for name, one in RESOURCES.items()}
    functions = [name for name, kind in kinds.items() if kind == "AWS::Serverless::Function"]
    queues = [name for name, kind in kinds.items() if kind == "AWS::SQS::Queue"]
    functions.remove("CanaryFunction")  # CodeDeploy calls it, and sees how it ends
    assert len(functions) == len(queues) == 4
    for function in functions:
        assert {("Errors", function), ("Throttles", function)} <= watched
    for queue in queues:
        if "DeadLetter" in queue:
            assert ("ApproximateNumberOfMessagesVisible", f"{queue}.QueueName") in watched


def own_namespace() -> str:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    found: str = variables["POWERTOOLS_METRICS_NAMESPACE"]["Fn::Sub"]
    return found


def test_stacks_of_one_account_do_not_write_the_same_metrics() -> None:
    assert "${AWS::StackName}" in own_namespace()


def test_our_own_metrics_that_alarms_watch_are_emitted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", own_namespace())
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report")
    window = Window.holding(SystemClock().now()).plus(-1)
    report = compile_report(window, Tally(), window.end)
    CloudWatchSink(SystemClock(), metrics=True).publish(report, Totals.of(report))
    emit_run(0, [])
    emitted = set()
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            dimensions = [(name, document[name]) for name in directive["Dimensions"][0]]
            for metric in directive["Metrics"]:
                emitted.add((directive["Namespace"], metric["Name"], tuple(dimensions)))
    ours = {
        (one.namespace, one.name, one.dimensions)
        for metrics in METRICS.values()
        for one in metrics
        if not one.namespace.startswith("AWS/")
    }
    assert ours
    assert ours <= emitted
