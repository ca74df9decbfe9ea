"""Alarms watch metrics that exist, tell someone, and lead to what is to be done."""

import re

import pytest

from tandem_tools.template import TEMPLATE_FILE, load_template
from tests.unit.metrics import NAMESPACE, Metric, is_documented, of_alarm, written
from tests.unit.runbook import ALARMS, RESOURCES, RUNBOOK, SECTIONS, SERVING, section

METRICS = {name: of_alarm(alarm) for name, alarm in ALARMS.items()}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_the_topic_when_it_begins_and_when_it_is_over(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_leads_to_what_it_means_how_to_look_and_what_to_do(name: str) -> None:
    text = SECTIONS[section(ALARMS[name])]
    parts = re.findall(r"^\*(Meaning|Look|Do)\.\* \S", text, re.MULTILINE)
    assert parts == ["Meaning", "Look", "Do"]


def test_the_runbook_is_where_the_repository_has_it_unless_someone_says_otherwise() -> None:
    default = load_template()["Parameters"]["RunbookUrl"]["Default"]
    assert (TEMPLATE_FILE.parent / default).read_text() == RUNBOOK


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_what_aws_documents_or_what_functions_write(name: str) -> None:
    assert METRICS[name]
    for one in METRICS[name]:
        assert is_documented(one) or one.series in written(), one


@pytest.mark.parametrize("function", SERVING)
def test_an_error_is_seen_that_is_as_old_as_the_functions_timeout(function: str) -> None:
    alarm = ALARMS[f"{function}ErrorsAlarm"]
    timeout = RESOURCES[function]["Properties"]["Timeout"]
    if isinstance(timeout, dict):
        timeout = load_template()["Parameters"][timeout["Ref"]]["MaxValue"]
    assert alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]) == 1
    assert alarm["EvaluationPeriods"] * alarm["Period"] >= timeout + 60


def test_stacks_of_one_account_do_not_write_the_same_metrics() -> None:
    assert "${AWS::StackName}" in NAMESPACE


def test_a_metric_of_another_kind_of_api_is_not_taken_for_an_http_apis() -> None:
    dimensions = (("ApiId", "HttpApi"),)
    assert is_documented(Metric("AWS/ApiGateway", "5xx", dimensions, "Sum"))
    assert not is_documented(Metric("AWS/ApiGateway", "5XXError", dimensions, "Sum"))
    assert not is_documented(Metric("AWS/ApiGateway", "5xx", (("ApiName", "x"),), "Sum"))
    assert not is_documented(Metric("AWS/Nothing", "5xx", dimensions, "Sum"))


def test_a_report_that_stays_away_is_an_alarm_too() -> None:
    dead_man = ALARMS["ReportMissingAlarm"]
    assert (dead_man["MetricName"], dead_man["TreatMissingData"]) == ("WindowsClosed", "breaching")
    others = {name: one["TreatMissingData"] for name, one in ALARMS.items() if one != dead_man}
    assert set(others.values()) == {"notBreaching"}


def test_an_alarm_on_what_a_window_says_is_right_even_when_a_window_is_written_twice() -> None:
    when_it_happens = {"TasksSwept", "SinkWindowsBehind", "ProcessorFaults"}
    of_windows = [
        one
        for metrics in METRICS.values()
        for one in metrics
        if one.namespace == NAMESPACE and one.name not in when_it_happens
    ]
    assert {one.name for one in of_windows} >= {
        "WindowsClosed",
        "OldestWaiting",
        "TasksFailed",
        "TasksFaulted",
    }
    assert {one.statistic for one in of_windows} == {"Average", "Maximum"}


def test_an_alarm_on_reports_is_only_there_with_their_metrics() -> None:
    by_window = {"ReportMissingAlarm", "TasksWaitAlarm", "TasksFaultedAlarm", "TasksFailAlarm"}
    conditions = {RESOURCES[name].get("Condition") for name in by_window}
    assert conditions == {"ReportsToCloudWatch", "ReportsToCloudWatchOnAws"}


def test_what_the_emulator_refuses_is_left_out_of_it() -> None:
    for name, alarm in ALARMS.items():
        if "Metrics" in alarm:
            assert RESOURCES[name]["Condition"] in {"OnAws", "ReportsToCloudWatchOnAws"}


@pytest.mark.parametrize("name", [name for name, one in ALARMS.items() if "Metrics" in one])
def test_an_alarm_that_calculates_has_one_result_and_names_only_its_metrics(name: str) -> None:
    queries = ALARMS[name]["Metrics"]
    (result,) = [one for one in queries if one.get("ReturnData", True)]
    named = set(re.findall(r"\b[a-z]\w*\b", result["Expression"]))
    ids = [one["Id"] for one in queries]
    assert len(set(ids)) == len(ids)
    assert named <= set(ids)
    assert named or "METRICS()" in result["Expression"]


def calculated(name: str, **values: float) -> float:
    """Return what an alarm's expression makes of values, as CloudWatch does."""
    (result,) = [one for one in ALARMS[name]["Metrics"] if one.get("ReturnData", True)]
    ids = {one["Id"] for one in ALARMS[name]["Metrics"]} - {result["Id"]}
    functions = {
        "FILL": lambda value, otherwise: otherwise if value is None else value,
        "IF": lambda condition, yes, no: yes if condition else no,
    }
    found: float = eval(result["Expression"], functions, dict.fromkeys(ids) | values)  # noqa: S307
    return found


@pytest.mark.parametrize(
    ("errors", "faults", "own"),
    [
        (9, 2, 7),
        (9, None, 9),
        (9, 9, 0),
        (2, 3, 0),
        (None, 3, 0),
        (None, None, 0),
    ],
)
def test_what_stops_a_release_is_each_5xx_that_answers_for_no_processors_fault(
    errors: float, faults: float, own: float
) -> None:
    assert calculated("ApiErrorsAlarm", errors=errors, faults=faults) == own
    queries = ALARMS["ApiErrorsAlarm"]["Metrics"]
    stats = {(one["MetricStat"]["Stat"], one["MetricStat"]["Period"]) for one in queries[1:]}
    assert stats == {("Sum", 300)}


def gates(function: str) -> set[str]:
    """Return the alarms that take a release of a function back."""
    listed = RESOURCES[function]["Properties"]["DeploymentPreference"]["Alarms"]
    if isinstance(listed, dict):
        _, listed, emulated = listed["Fn::If"]
        there = [one for one in listed if RESOURCES[one["Ref"]].get("Condition") != "OnAws"]
        assert emulated == there
    return {one["Ref"] for one in listed}


def test_no_release_is_stopped_by_what_tenants_send_or_receivers_answer() -> None:
    stopping = set().union(*map(gates, SERVING))
    assert "ApiErrorsAlarm" in gates("ApiFunction")
    assert not stopping & {"TasksFaultedAlarm", "TasksFailAlarm", "OverdueTasksAlarm"}
    for name in stopping & {"DeadLettersAlarm", "CallbackDeadLettersAlarm"}:
        # A failed task and a callback that was given up are in the table, and not in a queue.
        assert {one.namespace for one in METRICS[name]} == {"AWS/SQS"}
    others = stopping - {"ApiErrorsAlarm", "DeadLettersAlarm", "CallbackDeadLettersAlarm"}
    assert {one.namespace for name in others for one in METRICS[name]} == {"AWS/Lambda"}


def test_a_fault_is_told_when_it_happens_and_not_while_it_is_listed() -> None:
    alarm = ALARMS["TasksFaultedAlarm"]
    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == (
        "TasksFaulted",
        "Maximum",
        60,
    )
    assert (alarm["Threshold"], alarm["DatapointsToAlarm"]) == (0, 1)
    assert "DeadLetters" not in {one.name for metrics in METRICS.values() for one in metrics}


@pytest.mark.parametrize(
    ("faulted", "failed", "succeeded", "ratio"),
    [(0, 50, 50, 0), (20, 50, 50, 0.2), (1, 1, 0.5, 0), (2, 2, 0, 1)],
)
def test_the_ratio_of_failed_tasks_leaves_the_callers_faults_out(
    faulted: float, failed: float, succeeded: float, ratio: float
) -> None:
    values = {"faulted": faulted, "failed": failed, "succeeded": succeeded}
    assert calculated("TasksFailAlarm", **values) == ratio


def test_the_ratio_of_failed_tasks_says_nothing_of_a_few_tasks() -> None:
    queries = ALARMS["TasksFailAlarm"]["Metrics"]
    expression = queries[0]["Expression"]
    assert expression == "IF(failed + succeeded >= 2, faulted / (failed + succeeded), 0)"
    assert {one["MetricStat"]["Period"] for one in queries[1:]} == {300}


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
    queues = [name for name, one in RESOURCES.items() if one["Type"] == "AWS::SQS::Queue"]
    assert len(SERVING) == len(queues) == 4
    for function in SERVING:
        assert {("Errors", function), ("Throttles", function)} <= watched
    for queue in queues:
        if "DeadLetter" in queue:
            assert ("ApproximateNumberOfMessagesVisible", f"{queue}.QueueName") in watched
