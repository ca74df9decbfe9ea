"""The fault proxy's own cost when it injects nothing: the instrument's null subject."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from tandem_tools.bench.fault_plan import Plan
from tandem_tools.bench.fault_proxy import FaultProxy
from tandem_tools.bench.http_messages import read_head, response_body
from tandem_tools.harness.stack import DeployedApp

CONNECTIONS = 4
CALLS = 150
"""On each connection."""
ROUNDS = 3
_BODY = '{"TableName":"%s","Key":{"pk":{"S":"task#none"}}}'


def proxy_cost(app: DeployedApp, proxy: FaultProxy) -> float:
    """Return the rate of DynamoDB's GetItem through the proxy as a part of that without it.

    Both are the best of some rounds, taken in turn, over connections that are kept.
    """
    body = (_BODY % app.description.table).encode()
    proxy.arm(Plan(0, rate=0))
    try:
        direct, through = 0.0, 0.0
        for _ in range(ROUNDS):
            direct = max(direct, _rate(app.description.endpoint_url, body))
            through = max(through, _rate(proxy.url, body))
    finally:
        proxy.disarm()
    return round(through / direct, 2)


def _rate(url: str, body: bytes) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(lambda _: _call(url, body), range(CONNECTIONS)))
    return CONNECTIONS * CALLS / (time.monotonic() - began)


def _call(url: str, body: bytes) -> None:
    place = urlsplit(url)
    request = _request(place.netloc, body)
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection.makefile("rb") as reader:
            stream = cast("BinaryIO", reader)
            for _ in range(CALLS):
                connection.sendall(request)
                head = read_head(stream)
                assert head is not None  # noqa: S101 - each is answered
                assert head.status == 200, head.start  # noqa: S101 - as above
                for _piece in response_body(head, stream, "POST"):
                    pass


def _request(host: str, body: bytes) -> bytes:
    """Return a call of the emulator's root account, whose signature it does not look at."""
    scope = "Credential=test/20260101/us-east-1/dynamodb/aws4_request"
    lines = [
        "POST / HTTP/1.1",
        f"host: {host}",
        "content-type: application/x-amz-json-1.0",
        "x-amz-target: DynamoDB_20120810.GetItem",
        "x-amz-date: 20260101T000000Z",
        f"authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
