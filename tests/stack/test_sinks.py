"""Reports leave the deployed stack: by a topic, a signed webhook and OpenTelemetry, under IAM."""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from standardwebhooks.webhooks import Webhook

from tandem_tools.harness.receiver import Receiver, Request
from tandem_tools.harness.stack import RECEIVER_ADDRESS, DeployedApp, Json, eventually

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
NOT_SENT = "report not sent"
WINDOW_WITHIN_SECONDS = 150


def sinks(app: DeployedApp) -> dict[str, Json]:
    """Return how the sinks stood in the latest report."""
    latest = app.operator.get("/reports/latest")
    found = latest.json().get("sinks") or [] if latest.is_success else []
    return {one["name"]: one for one in found}


def closed(app: DeployedApp) -> list[str]:
    """Return the windows that are closed, oldest first."""
    reports = app.operator.get("/reports", params={"limit": "100"}).json()["reports"]
    return [report["window"] for report in reversed(reports)]


@pytest.fixture(scope="module")
def subscribed(shared: DeployedApp) -> str:
    """Subscribe a queue to the topic of the reports, and return the queue's URL."""
    queue = shared.aws.sqs.create_queue(QueueName="told-of-reports")["QueueUrl"]
    about = shared.aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    topic = shared.variables("report")["REPORT_TOPIC_ARN"]
    endpoint = about["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": endpoint,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    attributes = {"Policy": json.dumps(policy)}
    shared.aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)
    shared.aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    return queue


@pytest.fixture(scope="module")
def failing(shared: DeployedApp, subscribed: str) -> dict[str, Json]:
    """How the sinks stand after two that nobody answers have failed, and the topic has not."""
    del subscribed
    shared.finished(shared.submit("echo", {"message": "hello"}))

    shared.invoke("report", TICK)

    def shown() -> dict[str, Json] | None:
        found = sinks(shared)
        return found if found and found["webhook"]["failures"] else None

    return eventually(shown, WINDOW_WITHIN_SECONDS)


@pytest.fixture(scope="module")
def receivers(
    shared: DeployedApp, failing: dict[str, Json], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Receiver, Receiver]]:
    """What the two are then answered by, when they have caught up."""
    del failing
    folder = tmp_path_factory.mktemp("tls")
    with (
        Receiver(RECEIVER_ADDRESS) as hook,
        Receiver(RECEIVER_ADDRESS, secure=False) as collector,
    ):
        shared.configure(
            "report",
            REPORT_WEBHOOK_URL=f"{hook.url}/reports",
            OTLP_ENDPOINT=collector.url,
            SSL_CERT_FILE=str(hook.write_authority(folder / "authority.pem")),
        )

        shared.invoke("report", TICK)

        def caught_up() -> bool | None:
            found = sinks(shared)
            return not any(one["error"] or one["windows_behind"] for one in found.values()) or None

        eventually(caught_up, WINDOW_WITHIN_SECONDS)
        yield hook, collector


def windows_of(posts: list[Request]) -> list[str]:
    return [json.loads(post.body)["data"]["window"] for post in posts]


@pytest.mark.timeout(500)
def test_sinks_that_fail_are_shown_and_stop_neither_the_others_nor_the_next_windows(
    shared: DeployedApp, failing: dict[str, Json]
) -> None:
    assert failing.keys() == {"cloudwatch", "sns", "webhook", "otlp"}
    for name in ("webhook", "otlp"):
        assert failing[name]["error"] == "the connection failed: Connection refused"
        assert failing[name]["failing_since"] is not None
        assert failing[name]["windows_behind"] > 0
    for name in ("cloudwatch", "sns"):
        assert (failing[name]["error"], failing[name]["windows_behind"]) == (None, 0)
    text = shared.operator.get("/metrics").text
    assert 'tandem_report_sink_windows_behind{sink="sns"} 0.0' in text
    behind = failing["webhook"]["windows_behind"]
    assert f'tandem_report_sink_windows_behind{{sink="webhook"}} {behind:.1f}' in text
    logged = [one for one in shared.log_entries("report") if one.get("message") == NOT_SENT]
    assert {one["sink"] for one in logged} == {"webhook", "otlp"}
    assert RECEIVER_ADDRESS not in json.dumps(logged)


@pytest.mark.timeout(500)
def test_the_webhook_gets_every_window_in_order_signed_with_its_own_secret(
    shared: DeployedApp, receivers: tuple[Receiver, Receiver]
) -> None:
    posts = list(receivers[0].requests)  # a window can come meanwhile
    secret = shared.variables("report")["REPORT_WEBHOOK_SECRET"]
    value = shared.aws.secrets_manager.get_secret_value(SecretId=secret)["SecretString"]
    verifier = Webhook("whsec_" + b64encode(value.encode()).decode())
    for post in posts:
        event = verifier.verify(post.body, post.headers)
        assert event["type"] == "report.closed"
        assert post.headers["webhook-id"].endswith(event["data"]["window"][:16] + "Z")
        assert post.path == "/reports"
    assert windows_of(posts) == closed(shared)[: len(posts)]
    assert len(posts) >= 2
    shown = shared.operator.get("/reports", params={"limit": "100"}).json()["reports"]
    by_window = {report["window"]: report for report in shown}
    for post in posts:
        data = json.loads(post.body)["data"]
        assert data == by_window[data["window"]]


@pytest.mark.timeout(500)
def test_the_collector_gets_cumulative_points_the_last_of_which_are_the_totals(
    shared: DeployedApp, receivers: tuple[Receiver, Receiver]
) -> None:
    posts = list(receivers[1].requests)
    assert {post.path for post in posts} == {"/v1/metrics"}
    sent = [exported(post) for post in posts]
    moments = [at for at, _ in sent]
    assert moments == sorted(set(moments))
    for (_, before), (_, after) in pairwise(sent):
        assert all(after[series] >= number for series, number in before.items())
    last_window = datetime.fromisoformat(sent_through(shared, posts[-1]))
    counted: dict[tuple[str, ...], int] = {}
    for report in shared.operator.get("/reports", params={"limit": "100"}).json()["reports"]:
        if datetime.fromisoformat(report["window"]) <= last_window:
            for one in report["counts"]:
                series = (one["processor"], one["mode"], one["outcome"])
                counted[series] = counted.get(series, 0) + one["tasks"]
    assert sent[-1][1] == counted
    assert sum(counted.values()) > 0


def sent_through(app: DeployedApp, post: Request) -> str:
    """Return the window that a collector was sent: its points are of the window's end."""
    end_ns, _ = exported(post)
    ends = {int(datetime.fromisoformat(one).timestamp()) + 60: one for one in closed(app)}
    return ends[end_ns // 10**9]


def exported(post: Request) -> tuple[int, dict[tuple[str, ...], int]]:
    """Return the time of a request's points, and how many tasks they count of each series."""
    request: Any = ParseDict(json.loads(post.body), ExportMetricsServiceRequest())
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    found: dict[tuple[str, ...], int] = {}
    moment = 0
    for metric in metrics:
        for point in [*metric.sum.data_points, *metric.gauge.data_points]:
            moment = moment or point.time_unix_nano
            assert point.time_unix_nano == moment
        if metric.name == "tandem.tasks":
            for point in metric.sum.data_points:
                labels = {one.key: one.value.string_value for one in point.attributes}
                series = (labels["processor"], labels["mode"], labels["outcome"])
                found[series] = point.as_int
    return moment, found


@pytest.mark.timeout(500)
def test_subscribers_of_the_topic_are_told_of_every_window(
    shared: DeployedApp, subscribed: str, receivers: tuple[Receiver, Receiver]
) -> None:
    del receivers
    told: dict[str, Json] = {}
    shared.finished(shared.submit("echo", {"message": "hello"}))

    def tasks_told() -> int:
        return sum(json.loads(one["Message"])["data"]["tasks"] for one in told.values())

    def heard() -> bool | None:
        messages = shared.aws.sqs.receive_message(
            QueueUrl=subscribed, MaxNumberOfMessages=10, WaitTimeSeconds=2
        )
        for message in messages.get("Messages", []):
            notice = json.loads(message["Body"])
            told[notice["MessageAttributes"]["window"]["Value"]] = notice
        if messages.get("Messages"):
            return None
        return (len(told) >= 2 and tasks_told() > 0) or None

    eventually(heard, WINDOW_WITHIN_SECONDS)
    windows = sorted(told)
    names = [f"{window[:16]}Z" for window in closed(shared)]
    first = names.index(windows[0])
    assert windows == names[first : first + len(windows)]
    for notice in told.values():
        data = json.loads(notice["Message"])["data"]
        assert notice["MessageAttributes"]["tasks"]["Value"] == str(data["tasks"])
