import pytest

from tandem.files.blobs import BlobMissing
from tandem.ids import TaskId
from tandem.tasks.results import CachedResult
from tandem.tasks.task import InlinePayload
from tandem_tools.harness.tasks import NOON
from tests.adapter.conftest import Ports


def put(ports: Ports, *keys: str) -> None:
    for key in keys:
        ports.blobs.put(key, key.encode(), content_type="text/plain")


def there(ports: Ports, key: str) -> bool:
    try:
        ports.blobs.info(key)
    except BlobMissing:
        return False
    return True


def test_all_under_a_prefix_is_deleted_and_nothing_else(ports: Ports) -> None:
    inside = ("tasks/1/input.json", "tasks/1/1/output.json", "tasks/1/2/files/a b+ü.csv")
    outside = ("tasks/10/input.json", "uploads/acme/tasks/1/x")
    put(ports, *inside, *outside)
    for _ in range(2):
        assert ports.blobs.delete_under("tasks/1/", limit=10)
    assert not any(there(ports, key) for key in inside)
    assert all(there(ports, key) for key in outside)


def test_a_deletion_is_bounded_and_says_what_is_left(ports: Ports) -> None:
    put(ports, *(f"tasks/1/{number}" for number in range(5)))
    assert not ports.blobs.delete_under("tasks/1/", limit=2)
    assert not ports.blobs.delete_under("tasks/1/", limit=2)
    assert ports.blobs.delete_under("tasks/1/", limit=2)
    assert not any(there(ports, f"tasks/1/{number}") for number in range(5))


def test_more_than_one_page_is_deleted(on_moto: Ports) -> None:
    put(on_moto, *(f"tasks/1/{number}" for number in range(1001)))
    assert on_moto.blobs.delete_under("tasks/1/", limit=2000)
    assert not any(there(on_moto, f"tasks/1/{number}") for number in (0, 500, 1000))


def test_a_copy_outlives_its_source(ports: Ports) -> None:
    ports.blobs.put("tasks/1/1/files/a.csv", b"id\n1\n", content_type="text/csv")
    ports.blobs.copy("tasks/1/1/files/a.csv", "tasks/2/1/files/a.csv")
    ports.blobs.delete("tasks/1/1/files/a.csv")
    assert ports.blobs.get("tasks/2/1/files/a.csv") == b"id\n1\n"
    assert ports.blobs.info("tasks/2/1/files/a.csv").content_type == "text/csv"


def test_what_is_gone_is_not_copied(ports: Ports) -> None:
    with pytest.raises(BlobMissing):
        ports.blobs.copy("tasks/1/input.json", "tasks/2/input.json")
    assert not there(ports, "tasks/2/input.json")


def test_a_stream_says_which_version_it_reads(ports: Ports) -> None:
    put(ports, "uploads/acme/1")
    before = ports.blobs.info("uploads/acme/1")
    with ports.blobs.open("uploads/acme/1") as blob:
        ports.blobs.put("uploads/acme/1", b"other", content_type="text/plain")
        assert blob.info.version == before.version
        assert blob.stream.read() == b"uploads/acme/1"
    assert ports.blobs.info("uploads/acme/1").version != before.version


def test_a_kept_result_is_forgotten_with_its_task_and_not_with_another(ports: Ports) -> None:
    task_id = TaskId("task-1")
    kept = CachedResult(
        task_id=task_id,
        output=InlinePayload("1"),
        file=None,
        made_at=NOON,
        expires_at=NOON.replace(hour=13),
    )
    ports.results.forget("k", task_id)
    ports.results.put("k", kept)
    ports.results.forget("k", TaskId("task-2"))
    assert ports.results.get("k", NOON) == kept
    ports.results.forget("k", task_id)
    assert ports.results.get("k", NOON) is None
