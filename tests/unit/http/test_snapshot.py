import json
from io import StringIO

import boto3
import pytest

from tandem.aws import clients
from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.http.snapshot import rehearse
from tandem.lambda_events import LambdaContextStub, http_event
from tandem.processing.catalogue import Catalogue, installed
from tandem.testing import MemoryWiring


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("dynamodb", "sqs"):
        client = boto3.client(service, region_name="eu-central-1")
        monkeypatch.setattr(clients, service, lambda client=client: client)


def lines(log: StringIO) -> list[dict[str, object]]:
    return [json.loads(text) for text in log.getvalue().splitlines()]


def test_a_rehearsal_leaves_the_handler_as_it_was_and_its_lines_marked(log: StringIO) -> None:
    wiring = MemoryWiring(catalogue=installed())
    handler = LambdaHandler(create_app(wiring))
    # The doubles are not asked over the wire: of these tasks, the one that is read is not there.
    rehearse(handler, wiring)
    assert {line.get("rehearsal") for line in lines(log)} == {True}
    log.truncate(0)
    log.seek(0)
    answer = handler(http_event("GET", "/health"), LambdaContextStub())  # type: ignore[arg-type]
    handler.stop()
    assert answer["statusCode"] == 200
    assert not any("rehearsal" in line for line in lines(log))


def test_a_rehearsal_that_fails_is_logged_and_harms_nothing(log: StringIO) -> None:
    wiring = MemoryWiring(catalogue=Catalogue([]))
    handler = LambdaHandler(create_app(wiring))
    rehearse(handler, wiring)
    (failed,) = [line for line in lines(log) if line["message"] == "not rehearsed"]
    assert failed["error_type"] == "NotRehearsed"
    answer = handler(http_event("GET", "/health"), LambdaContextStub())  # type: ignore[arg-type]
    handler.stop()
    assert answer["statusCode"] == 200
