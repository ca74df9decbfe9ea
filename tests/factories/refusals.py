"""Clients of AWS whose calls are answered here: nothing is sent."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config


class Refused(Exception):
    """The service answers a call with this error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Body(io.BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.getvalue()


def client_of(service: str, answer: Callable[[Any], Any]) -> Any:
    """Return a client whose calls get what the function makes of their bodies, at once."""

    def answered(request: Any, **_: Any) -> AWSResponse:
        headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
        try:
            status, document = 200, answer(json.loads(request.body))
        except Refused as refused:
            status, document = 400, {"__type": f"aws#{refused.code}", "message": "no"}
        return AWSResponse(request.url, status, headers, _Body(json.dumps(document).encode()))

    client = boto3.client(
        service,  # type: ignore[call-overload]  # of any service
        region_name="eu-central-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send", answered)
    return client
