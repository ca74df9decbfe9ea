from datetime import timedelta

from tandem.ids import TaskId
from tandem.tasks.results import CachedResult
from tandem.tasks.task import InlinePayload, Payload, StoredPayload
from tandem_tools.harness.tasks import NOON
from tests.adapter.conftest import Ports

FILE = StoredPayload("tasks/1/1/files/out.csv", 10)


def result(output: Payload, file: StoredPayload | None = None) -> CachedResult:
    return CachedResult(
        task_id=TaskId("task-1"),
        output=output,
        file=file,
        made_at=NOON,
        expires_at=NOON + timedelta(minutes=1),
    )


def test_a_result_is_read_back_until_it_expires(ports: Ports) -> None:
    kept = result(InlinePayload('{"a":1}'), FILE)
    assert ports.results.get("k", NOON) is None
    ports.results.put("k", kept)
    assert ports.results.get("k", NOON + timedelta(seconds=59)) == kept
    assert ports.results.get("k", NOON + timedelta(seconds=60)) is None
    assert ports.results.get("other", NOON) is None


def test_a_newer_result_replaces_an_older_one(ports: Ports) -> None:
    ports.results.put("k", result(InlinePayload("1"), FILE))
    newer = result(StoredPayload("tasks/2/1/output.json", 300_000))
    ports.results.put("k", newer)
    assert ports.results.get("k", NOON) == newer
