"""The dashboard has the documented form, and shows only what exists, and all of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.unit.dashboard_body import RESOURCES, SCHEMA, body, exists, stack
from tests.unit.metrics import NAMESPACE, Metric, is_documented, of_alarm, written
from tests.unit.runbook import ALARMS, SECTIONS, SERVING, section

STACKS = {
    "on-aws": stack(),
    "with-a-runbook": stack(RunbookUrl="https://example.com/docs/operations.md"),
    "without-reports": stack(ReportToCloudWatch="false"),
    "emulated": stack(Emulated="true"),
    "emulated-without-reports": stack(Emulated="true", ReportToCloudWatch="false"),
}
BODY = body(STACKS["with-a-runbook"])
OURS = NAMESPACE.replace("${AWS::StackName}", "tandem-test")
SEARCH = re.compile(r"""SEARCH\('\{"(.+)",([a-z]+),([a-z]+)\} MetricName="(\w+)"', '(\w+)'\)""")
WRITTEN = {(OURS, name, dimensions) for _, name, dimensions in written()}


def graphs() -> list[Any]:
    return [one["properties"] for one in BODY["widgets"] if one["type"] == "metric"]


def lines() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Yield each line of each graph: its title, its options, and how the metric is named."""
    for graph in graphs():
        for line in graph["metrics"]:
            options = line[-1] if isinstance(line[-1], dict) else {}
            named = [part for part in line if isinstance(part, str)]
            yield graph["title"], {"stat": graph["stat"]} | options, named


def metrics() -> list[Metric]:
    return [
        Metric(
            named[0], named[1], tuple(zip(named[2::2], named[3::2], strict=True)), options["stat"]
        )
        for _, options, named in lines()
        if named
    ]


def searches() -> list[re.Match[str]]:
    found = []
    for title, options, _ in lines():
        if "expression" in options:
            search = SEARCH.fullmatch(options["expression"])
            assert search is not None, title
            found.append(search)
    return found


@pytest.mark.parametrize("name", STACKS)
def test_the_body_has_the_form_that_aws_documents(name: str) -> None:
    problems = Draft202012Validator(SCHEMA).iter_errors(body(STACKS[name]))
    assert [f"{list(one.absolute_path)}: {one.message}" for one in problems] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"widgets": [{"type": "metrics", "properties": {}}]},
        {"widgets": [{"type": "text", "properties": {"text": "x"}}]},
        {"widgets": [{"type": "metric", "properties": {"metrics": [["AWS/SQS"]], "region": "r"}}]},
        {"widgets": [{"type": "metric", "properties": {"metrics": [["a", "b"]]}}]},
        {"widgets": [{"type": "alarm", "properties": {"alarms": ["DeadLettersAlarm"]}}]},
        {"widgets": [{"type": "text", "x": 24, "properties": {"markdown": "x"}}]},
    ],
)
def test_a_body_of_another_form_is_refused(broken: dict[str, Any]) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(broken)


def test_widgets_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in BODY["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"].get("title")
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len(taken) == 24 * max(y + 1 for _, y in taken), "there are holes"


@pytest.mark.parametrize("name", STACKS)
def test_every_alarm_that_there_is_shows_its_state(name: str) -> None:
    (widget,) = [one for one in body(STACKS[name])["widgets"] if one["type"] == "alarm"]
    there = [f"arn:aws:test:{alarm}" for alarm in ALARMS if exists(alarm, STACKS[name])]
    assert sorted(widget["properties"]["alarms"]) == sorted(there)


@pytest.mark.parametrize("metric", metrics(), ids=lambda one: f"{one.namespace}-{one.name}")
def test_a_line_is_a_metric_that_aws_documents_or_that_reports_write(metric: Metric) -> None:
    assert is_documented(metric) or metric.series in WRITTEN, metric


@pytest.mark.parametrize("search", searches(), ids=lambda one: one[4])
def test_a_search_finds_what_reports_write(search: re.Match[str]) -> None:
    namespace, first, second, name, _ = search.groups()
    found = [
        series
        for series in WRITTEN
        if series[:2] == (namespace, name) and {key for key, _ in series[2]} == {first, second}
    ]
    assert found, search[0]


def test_what_a_window_says_is_never_summed() -> None:
    when_it_happens = {"TasksSwept", "SinkWindowsBehind", "ProcessorFaults"}
    of_windows = {(one.name, one.statistic) for one in metrics() if one.namespace == OURS}
    of_windows |= {(search[4], search[5]) for search in searches()}
    assert {stat for name, stat in of_windows if name not in when_it_happens} == {
        "Average",
        "Maximum",
    }


def test_what_is_written_is_read_with_its_dimensions_by_the_dashboard_or_an_alarm() -> None:
    read = {(one.name, frozenset(key for key, _ in one.dimensions)) for one in metrics()}
    read |= {(search[4], frozenset(search.group(2, 3))) for search in searches()}
    read |= {
        (one.name, frozenset(key for key, _ in one.dimensions))
        for alarm in ALARMS.values()
        for one in of_alarm(alarm)
    }
    written = {(name, frozenset(key for key, _ in dimensions)) for _, name, dimensions in WRITTEN}
    assert written - read == set()


def test_lines_of_processors_and_sinks_are_told_apart() -> None:
    for title, options, _ in lines():
        if "expression" in options:
            assert re.search(r"\$\{PROP\('Dim\.(processor|sink)'\)\}", options["label"]), title


def test_every_function_queue_and_index_and_what_alarms_watch_is_shown() -> None:
    shown = {(one.namespace, one.name, one.dimensions) for one in metrics()}
    watched = {
        (one.namespace.replace(NAMESPACE, OURS), one.name, one.dimensions)
        for alarm in ALARMS.values()
        for one in of_alarm(alarm)
    }
    # The most that any sink is behind is the highest of the lines by sink.
    assert {name for _, name, _ in watched - shown} == {"SinkWindowsBehind"}
    values = {value for _, _, dimensions in shown for _, value in dimensions}
    assert values >= set(SERVING)
    for name, one in RESOURCES.items():
        if one["Type"] == "AWS::SQS::Queue":
            assert f"{name}.QueueName" in values


def test_a_threshold_that_is_drawn_is_the_alarms() -> None:
    drawn = {
        graph["title"]: [one["value"] for one in graph["annotations"]["horizontal"]]
        for graph in graphs()
        if "annotations" in graph
    }
    assert drawn == {
        "Age (s)": [ALARMS["TasksWaitAlarm"]["Threshold"]],
        "Latency (ms)": [ALARMS["ApiLatencyAlarm"]["Threshold"]],
    }


def test_the_text_leads_to_the_section_of_every_alarm() -> None:
    (text,) = [one["properties"]["markdown"] for one in BODY["widgets"] if one["type"] == "text"]
    linked = re.findall(r"\]\(https://example\.com/docs/operations\.md#([a-z-]+)\)", text)
    assert set(linked) == {section(alarm) for alarm in ALARMS.values()} | {"the-dashboard"}
    assert set(linked) <= set(SECTIONS)


def test_without_an_address_of_the_runbook_no_link_leads_nowhere() -> None:
    (text,) = [
        one["properties"]["markdown"]
        for one in body(STACKS["on-aws"])["widgets"]
        if one["type"] == "text"
    ]
    assert "](" not in text
    assert "docs/operations.md" in text
