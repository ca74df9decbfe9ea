"""Being ready before the first request, where Lambda starts a process ahead of it.

With SnapStart, Lambda starts one process when a version is published, keeps a snapshot of it, and
goes on from there as often as it needs an environment: what was done before the snapshot is done in
all of them, and what was random before it is the same in all. With provisioned concurrency a
process waits for its first request. See docs/decisions/0019-snapstart.md.
"""

import os
import random
from typing import TYPE_CHECKING, Any, cast

from tandem.aws import clients
from tandem.aws.network_stubbed import network_stubbed
from tandem.aws.wiring import Wiring
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import time_ordered_uuid
from tandem.settings import settings
from tandem.telemetry import logger
from tandem.trace import described

if TYPE_CHECKING:
    from mangum.types import LambdaContext

TENANT = "rehearsal"
_ECHO = {"processor": "echo", "input": {"message": "rehearsal"}}


class NotRehearsed(Exception):
    """A rehearsed request was not answered as it should be."""


def get_ready(handler: LambdaHandler, wiring: Wiring) -> None:
    """Rehearse when the process is started ahead of its requests, and only then."""
    started_as = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE")
    if started_as == "snap-start":
        # Lambda's runtime has it: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
        from snapshot_restore_py import register_after_restore, register_before_snapshot

        register_before_snapshot(rehearse, handler, wiring)
        register_after_restore(renew)
    elif started_as == "provisioned-concurrency":
        rehearse(handler, wiring)


def rehearse(handler: LambdaHandler, wiring: Wiring) -> None:
    """Answer requests of each kind that callers wait for, with no effect outside of the process.

    What comes of it is logged and no more: a process that did not rehearse is slower, not wrong.
    Afterwards there is no thread, no event loop and no connection.
    """
    logger.append_keys(rehearsal=True)
    try:
        with network_stubbed(clients.dynamodb(), clients.sqs()):
            for event in _events(time_ordered_uuid(wiring.clock.now())):
                _play(handler, event)
        for client in (clients.dynamodb(), clients.sqs()):
            client.close()
    except Exception as error:  # noqa: BLE001 - as said above
        logger.error("not rehearsed", **described(error))
    finally:
        handler.stop()
        logger.remove_keys(["rehearsal"])
        logger.set_correlation_id(None)


def renew() -> None:
    """Make what must differ between environments that go on from one snapshot.

    Ids and traces are random by the kernel, which every environment asks anew. Jitter is not, ours
    and botocore's, nor are the keys of TLS, which OpenSSL draws from a generator of its own.
    """
    import ssl

    random.seed()
    ssl.RAND_add(os.urandom(32), 32)


def _play(handler: LambdaHandler, event: dict[str, Any]) -> None:
    from tandem.lambda_events import LambdaContextStub

    answer = handler(event, cast("LambdaContext", LambdaContextStub(10)))
    if answer["statusCode"] >= 400:
        message = f"{event['rawPath']} was answered {answer['statusCode']}"
        raise NotRehearsed(message)


def _events(task_id: str) -> list[dict[str, Any]]:
    return [
        _event("GET", "/health"),
        _event("GET", "/processors"),
        _event("POST", "/process-offline", _ECHO),
        _event("POST", "/process-online", _ECHO),
        _event("GET", f"/tasks/{task_id}"),
    ]


def _event(method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Return a request as API Gateway hands it over, with a token of a tenant that is none."""
    from tandem.lambda_events import http_event

    return http_event(
        method,
        path,
        body,
        tenant=TENANT,
        tenant_claims=(settings().tenant_claim,),
        scopes=("tasks:read", "tasks:write"),
        scope_prefix="",
        host="localhost",
        request_id="rehearsal",
    )
