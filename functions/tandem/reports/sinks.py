"""The sinks that reports leave by: a topic, a webhook, OpenTelemetry.

Each makes the same message of the same window, with an id or a time by which its receiver knows it
again.
"""

import json
import re
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, Field

from tandem.callbacks.signing import signed_headers, signing_key
from tandem.clock import Clock
from tandem.reports.otlp import metrics_request
from tandem.reports.ports import Poster, Reply, SinkFailed, Topic, WindowRefused
from tandem.reports.report import Report, Totals
from tandem.reports.text import outcomes, report_subject, report_text
from tandem.reports.views import ReportView
from tandem.reports.window import Window
from tandem.secrets import SecretStore
from tandem.tasks.task import State


class ReportEvent(BaseModel):
    """A window was closed."""

    type: Literal["report.closed"] = "report.closed"
    timestamp: datetime = Field(description="When the window was closed.")
    stack: str
    data: ReportView

    @staticmethod
    def of(report: Report, stack: str) -> "ReportEvent":
        """Return the event of a closed window of a stack."""
        return ReportEvent(timestamp=report.closed_at, stack=stack, data=ReportView.of(report))


def event_id(stack: str, window: Window) -> str:
    """Return the id by which receivers know a window of a stack again."""
    return f"{stack}/report/{window.name}"


USER_AGENT = "Tandem-Reports"

TOPIC_BYTES = 200_000
"""What a message to a topic may say in JSON: SNS takes 256 KB, with the text beside it."""

_LONG_PARTS = {"data": {"counts", "durations", "tenants"}}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


class TopicSink:
    """Tells a topic's subscribers: mail gets text, everything else JSON."""

    name = "sns"

    def __init__(self, topic: Topic, *, stack: str) -> None:
        self._topic = topic
        self._stack = stack

    def publish(self, report: Report, totals: Totals) -> None:
        """Send a window's report to the topic, or raise SinkFailed."""
        del totals
        event = ReportEvent.of(report, self._stack)
        document, parts = event.model_dump_json(), "all"
        if len(document.encode()) > TOPIC_BYTES:
            document, parts = event.model_dump_json(exclude=_LONG_PARTS), "some"
        ended = outcomes(report)
        self._topic.publish(
            report_subject(report, self._stack),
            {"default": document, "email": report_text(report, self._stack)},
            {
                "id": event_id(self._stack, report.window),
                "window": report.window.name,
                "parts": parts,
                "tasks": report.tasks,
                "failed": ended[State.FAILED],
            },
        )


class WebhookSink:
    """Posts a window's report to a URL, signed as Standard Webhooks says."""

    name = "webhook"

    def __init__(
        self,
        poster: Poster,
        secrets: SecretStore,
        clock: Clock,
        *,
        url: str,
        secret: str,
        stack: str,
    ) -> None:
        self._poster = poster
        self._secrets = secrets
        self._clock = clock
        self._url = url
        self._secret = secret
        self._stack = stack

    def publish(self, report: Report, totals: Totals) -> None:
        """Post a window's report, or raise SinkFailed, Unreachable or SecretsError."""
        del totals
        body = ReportEvent.of(report, self._stack).model_dump_json().encode()
        keys = [signing_key(secret) for secret in self._secrets.versions(self._secret)]
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT} | signed_headers(
            keys,
            message_id=event_id(self._stack, report.window),
            at=self._clock.now(),
            body=body,
        )
        _taken(self._poster.post(self._url, body, headers))


class OtlpSink:
    """Exports the totals as of a window to an OpenTelemetry collector, over HTTP in JSON."""

    name = "otlp"

    def __init__(
        self,
        poster: Poster,
        secrets: SecretStore,
        *,
        endpoint: str,
        headers_secret: str,
        stack: str,
        environment: str,
    ) -> None:
        self._poster = poster
        self._secrets = secrets
        # https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
        self._url = f"{endpoint.rstrip('/')}/v1/metrics"
        self._headers_secret = headers_secret
        self._stack = stack
        self._environment = environment

    def publish(self, report: Report, totals: Totals) -> None:
        """Export the totals, or raise SinkFailed, Unreachable or SecretsError."""
        request = metrics_request(report, totals, stack=self._stack, environment=self._environment)
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        body = json.dumps(request, separators=(",", ":")).encode()
        reply = self._poster.post(self._url, body, self._secret_headers() | headers)
        if reply.status == HTTPStatus.BAD_REQUEST:
            # Not to be sent again, says the specification; the next window has these totals too.
            raise WindowRefused("it answered 400")
        _taken(reply)
        rejected = _rejected_points(reply.body)
        if rejected:
            raise WindowRefused(f"it rejected {rejected} of the data points")

    def _secret_headers(self) -> dict[str, str]:
        if not self._headers_secret:
            return {}
        return read_headers(self._secrets.versions(self._headers_secret)[0])


def read_headers(text: str) -> dict[str, str]:
    """Return the headers that a secret holds: a JSON object of names and values.

    Raises:
        SinkFailed: it is not one.
    """
    try:
        found: Any = json.loads(text)
    except Exception:  # noqa: BLE001 - besides ValueError, RecursionError for what is nested
        found = None
    if not isinstance(found, dict) or not all(map(_is_header, found.items())):
        raise SinkFailed("the secret with its headers is not a JSON object of names and values")
    return found


def _is_header(pair: tuple[str, Any]) -> bool:
    name, value = pair
    return (
        _HEADER_NAME.fullmatch(name) is not None
        and isinstance(value, str)
        and _HEADER_VALUE.fullmatch(value) is not None
    )


def _taken(reply: Reply) -> None:
    if not 200 <= reply.status < 300:
        raise SinkFailed(f"it answered {reply.status}")


def _rejected_points(body: bytes) -> int:
    """Return how many data points an answer says were rejected. 0 when it says nothing of them."""
    try:
        said: Any = json.loads(body or b"{}")
        rejected = int(said.get("partialSuccess", {}).get("rejectedDataPoints", 0))
    except Exception:  # noqa: BLE001 - it may answer anything, and has taken the points
        return 0
    return max(rejected, 0)
