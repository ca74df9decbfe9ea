"""What each sink sends of a window, and what it takes for an answer."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tandem.callbacks.signing import key_text, signing_key
from tandem.clock import Clock, SystemClock
from tandem.reports.ports import Reply, SinkFailed, WindowRefused
from tandem.reports.report import Report, Totals
from tandem.reports.sinks import TOPIC_BYTES, OtlpSink, TopicSink, WebhookSink
from tandem.reports.text import report_text
from tandem.secrets import SecretsError
from tandem.tasks.task import State
from tandem.testing import FakeClock, MemoryPoster, MemorySecretStore, MemoryTopic
from tests.factories.reports import LEVELS, full_report, make_report

URL = "https://hooks.example.com/reports"
REPORT = full_report(State.SUCCEEDED, State.SUCCEEDED, State.FAILED)
TOTALS = Totals.of(REPORT)


def webhook(
    poster: MemoryPoster, secrets: MemorySecretStore, clock: Clock | None = None
) -> WebhookSink:
    return WebhookSink(
        poster, secrets, clock or SystemClock(), url=URL, secret="key", stack="tandem-prod"
    )


def otlp(poster: MemoryPoster, secrets: MemorySecretStore, *, headers: str = "") -> OtlpSink:
    return OtlpSink(
        poster,
        secrets,
        endpoint="http://collector:4318/",
        headers_secret=headers,
        stack="tandem-prod",
        environment="prod",
    )


# --- The topic ---------------------------------------------------------------------------------


def test_subscribers_of_a_topic_get_text_by_mail_and_json_otherwise() -> None:
    topic = MemoryTopic()
    TopicSink(topic, stack="tandem-prod").publish(REPORT, TOTALS)
    (notice,) = topic.notices
    assert notice.subject == "4 tasks, 1 failed at 12:00 UTC: tandem-prod"
    event = json.loads(notice.texts["default"])
    assert (event["type"], event["stack"]) == ("report.closed", "tandem-prod")
    assert event["data"]["window"] == "2026-01-01T12:00:00Z"
    assert (event["data"]["tasks"], event["data"]["late"]) == (4, 1)
    assert notice.attributes == {
        "id": "tandem-prod/report/2026-01-01T12:00Z",
        "window": "2026-01-01T12:00Z",
        "parts": "all",
        "tasks": 4,
        "failed": 1,
    }
    run = REPORT.durations["echo"].run
    assert run is not None
    assert notice.texts["email"] == (
        "tandem-prod: 2026-01-01 12:00 UTC, one minute\n"
        "\n"
        "4 tasks ended: 3 succeeded, 1 failed, 0 cancelled.\n"
        "1 of them ended earlier, and came late.\n"
        "- echo: 3 succeeded, 1 failed, 0 cancelled; 95 of 100 ran within "
        f"{run.p95:.3g} s\n"
        "\n"
        "About 1 wait, the oldest for 6 s; 3 are worked on, 2 are for later; 4 dead letters.\n"
        "Reports to webhook are 2 behind: it answered 503.\n"
    )


def test_a_window_in_which_nothing_ended_is_told_too() -> None:
    topic = MemoryTopic()
    TopicSink(topic, stack="x" * 128).publish(make_report(), Totals.of(make_report()))
    (notice,) = topic.notices
    assert notice.subject.startswith("0 tasks, 0 failed at 12:00 UTC: xxx")
    assert len(notice.subject) < 100
    assert "0 tasks ended: 0 succeeded, 0 failed, 0 cancelled." in notice.texts["email"]


def test_what_is_too_long_for_a_topic_is_sent_without_its_long_parts() -> None:
    counts = {}
    durations = {}
    for number in range(600):
        one = make_report(State.SUCCEEDED, processor=f"processor-{number:03}")
        counts |= one.counts
        durations |= one.durations
    report = replace(REPORT, counts=counts, durations=durations, late={})
    topic = MemoryTopic()
    TopicSink(topic, stack="tandem").publish(report, Totals.of(report))
    (notice,) = topic.notices
    assert len(notice.texts["default"]) < TOPIC_BYTES
    assert notice.attributes["parts"] == "some"
    data = json.loads(notice.texts["default"])["data"]
    assert (data["tasks"], "counts" in data, data["levels"]["waiting"]) == (600, False, 1)


# --- The webhook -------------------------------------------------------------------------------


def test_a_post_is_verified_by_standard_webhooks_with_either_key_of_a_rotation() -> None:
    poster, secrets = MemoryPoster(), MemorySecretStore(key="the-first-secret-of-this-test")
    secrets.rotate("key", "whsec_" + b64encode(b"k" * 32).decode())
    webhook(poster, secrets).publish(REPORT, TOTALS)
    (post,) = poster.posts
    assert post.url == URL
    assert post.headers["Content-Type"] == "application/json"
    headers = {name.lower(): value for name, value in post.headers.items()}
    for secret in secrets.versions("key"):
        event = Webhook(key_text(signing_key(secret))).verify(post.body, headers)
        assert event["data"]["tasks"] == 4
    assert headers["webhook-id"] == "tandem-prod/report/2026-01-01T12:00Z"


def test_the_same_window_again_is_the_same_post_but_for_when_it_was_sent() -> None:
    poster, clock = MemoryPoster(), FakeClock()
    sink = webhook(poster, MemorySecretStore(key="secret"), clock)
    sink.publish(REPORT, TOTALS)
    clock.advance(60)
    sink.publish(REPORT, TOTALS)
    first, second = poster.posts
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_nothing_is_posted_that_cannot_be_signed() -> None:
    poster = MemoryPoster()
    with pytest.raises(SecretsError):
        webhook(poster, MemorySecretStore()).publish(REPORT, TOTALS)
    assert poster.posts == []


# --- OpenTelemetry: what is in the document, tests/unit/reports/test_otlp.py looks at ----------


def test_metrics_are_exported_below_the_endpoint_with_the_headers_of_the_secret() -> None:
    poster = MemoryPoster()
    secrets = MemorySecretStore(headers='{"api-key": "s3cret", "x-tenant": "1"}')
    otlp(poster, secrets, headers="headers").publish(REPORT, TOTALS)
    (post,) = poster.posts
    assert post.url == "http://collector:4318/v1/metrics"
    assert post.headers["api-key"] == "s3cret"
    assert post.headers["Content-Type"] == "application/json"
    assert json.loads(post.body)["resourceMetrics"]


@pytest.mark.parametrize(
    "text",
    [
        "api-key=1",
        "[]",
        '{"a": 1}',
        '{"a b": "1"}',
        '{"a": "1\\r\\nb: 2"}',
        '{"": "1"}',
        '"text"',
        "[" * 100_000,
        "9" * 5000,
        '{"a": "\\ud800"}',
        "\ud800",
        '{"a": NaN}',
        "",
    ],
    ids=lambda text: ascii(text[:30]),
)
def test_headers_that_are_none_are_not_sent_and_not_told(text: str) -> None:
    poster = MemoryPoster()
    sink = otlp(poster, MemorySecretStore(headers=text), headers="headers")
    with pytest.raises(SinkFailed) as failure:
        sink.publish(REPORT, TOTALS)
    assert (
        str(failure.value) == "the secret with its headers is not a JSON object of names and values"
    )
    assert poster.posts == []


def test_what_a_collector_does_not_take_for_good_is_not_sent_again() -> None:
    poster = MemoryPoster()
    some = b'{"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "secret"}}'
    poster.answers = [Reply(400, b"secret"), Reply(200, some)]
    for why in ("it answered 400", "it rejected 3 of the data points"):
        with pytest.raises(WindowRefused) as refused:
            otlp(poster, MemorySecretStore()).publish(REPORT, TOTALS)
        assert str(refused.value) == why


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"partialSuccess": {}}',
        b'{"partialSuccess": null}',
        b'{"partialSuccess": {"errorMessage": "a warning"}}',
        b'{"partialSuccess": {"rejectedDataPoints": "0"}}',
        b"\x00not json",
        b"[1]",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"partialSuccess": {"rejectedDataPoints": 1e999}}',
        b'{"partialSuccess": {"rejectedDataPoints": -1e999}}',
        b'{"partialSuccess": {"rejectedDataPoints": NaN}}',
        b'{"partialSuccess": {"rejectedDataPoints": "%s"}}' % (b"9" * 5000),
        b'{"partialSuccess": {"rejectedDataPoints": %s}}' % (b"9" * 5000),
        b'{"partialSuccess": {"rejectedDataPoints": [1]}}',
        b'{"partialSuccess": {"rejectedDataPoints": -3}}',
    ],
)
def test_an_answer_that_rejects_nothing_is_good(body: bytes) -> None:
    poster = MemoryPoster()
    poster.answers = [Reply(200, body)]
    otlp(poster, MemorySecretStore()).publish(REPORT, TOTALS)


type MakeSink = Callable[[MemoryPoster, MemorySecretStore], Any]


@pytest.mark.parametrize("make", [webhook, otlp])
@pytest.mark.parametrize("status", [301, 401, 404, 410, 429, 500, 503])
def test_any_other_answer_fails_and_the_window_is_sent_again(make: MakeSink, status: int) -> None:
    poster = MemoryPoster()
    poster.answers = [Reply(status, b"a secret")]
    with pytest.raises(SinkFailed) as failure:
        make(poster, MemorySecretStore(key="secret")).publish(REPORT, TOTALS)
    assert not isinstance(failure.value, WindowRefused)
    assert str(failure.value) == f"it answered {status}"


def test_reports_are_none_the_wiser_of_who_else_is_told() -> None:
    report: Report = replace(REPORT, sinks=None)
    poster = MemoryPoster()
    webhook(poster, MemorySecretStore(key="secret")).publish(report, TOTALS)
    assert json.loads(poster.posts[0].body)["data"]["sinks"] is None


def test_mail_says_which_levels_are_not_known() -> None:
    assert report_text(REPORT, "tandem").splitlines()[-2] == (
        "About 1 wait, the oldest for 6 s; 3 are worked on, 2 are for later; 4 dead letters."
    )
    unknown = replace(LEVELS, waiting=None, delayed=None, in_flight=None)
    assert report_text(replace(REPORT, levels=unknown, sinks=None), "tandem").endswith(
        "It is not known how much waits; 4 dead letters.\n"
    )
    unknown = replace(LEVELS, oldest_waiting_seconds=None, dead_letters=None)
    assert report_text(replace(REPORT, levels=unknown, sinks=None), "tandem").endswith(
        "About 1 wait; 3 are worked on, 2 are for later; "
        "it is not known how many dead letters there are.\n"
    )
