"""What a deployment takes of uploads: shown, asked before the file is sent, and asked again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import new_upload_id
from tandem.limits import UPLOAD_BYTES
from tandem.processing.catalogue import Catalogue, installed
from tandem.processing.processor import AnyProcessor
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tests.unit.http.conftest import Api

MIB = 1024 * 1024
FILE = {"filename": "orders.csv", "content_type": "text/csv"}
SMALL = Settings(api_storage_mb=2, worker_storage_mb=4)
"""With so little disk, `hash-files` takes 1 MiB in the API and 2 in the worker."""


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.handler.stop()


@pytest.fixture
def small(api: Api) -> Api:
    """Return the API of the contract's processors and of one that does not say what it takes."""
    own = installed()
    any_size = replace(own["hash-files"], name="any-size", upload_mib=None)
    return served(api, [*own.values(), any_size])


def served(api: Api, processors: Iterable[AnyProcessor]) -> Api:
    api.wiring = MemoryWiring(SMALL, catalogue=Catalogue(processors))
    api.handler = LambdaHandler(create_app(api.wiring))
    return api


def stored(api: Api, size: int) -> str:
    upload_id = new_upload_id(api.wiring.clock.now())
    api.wiring.blobs.put(f"uploads/acme/{upload_id}", bytes(size), content_type="text/csv")
    return upload_id


def hashing(*uploads: str) -> dict[str, Any]:
    """Return a task whose submit looks at its uploads, since their hashes are kept."""
    return {"processor": "hash-files", "input": {"uploads": uploads}}


def copying(upload: str) -> dict[str, Any]:
    """Return a task whose uploads the submit does not look at."""
    return {"processor": "copy-file", "input": {"upload": upload}}


def taken(api: Api) -> dict[str, Any]:
    found = api("GET", "/processors").json
    return {one["name"]: one["upload_bytes"] for one in found["processors"]}


def test_the_catalogue_says_what_each_processor_takes_on_this_deployment(small: Api) -> None:
    found = taken(small)
    assert {name: found[name] for name in ("copy-file", "echo", "hash-files")} == {
        "copy-file": {"online": MIB, "offline": 2 * MIB},
        "echo": {"online": 0, "offline": 0},
        "hash-files": {"online": MIB, "offline": 2 * MIB},
    }


@pytest.mark.parametrize(
    ("processor", "size", "figure"),
    [
        ("hash-files", 2 * MIB, None),
        ("hash-files", 2 * MIB + 1, 2 * MIB),
        ("echo", 1, 0),
        ("any-size", UPLOAD_BYTES, None),
        ("any-size", UPLOAD_BYTES + 1, UPLOAD_BYTES),
        (None, UPLOAD_BYTES, None),
        (None, UPLOAD_BYTES + 1, UPLOAD_BYTES),
    ],
)
def test_an_upload_that_its_processor_does_not_take_is_refused_before_it_is_sent(
    small: Api, processor: str | None, size: int, figure: int | None
) -> None:
    answer = small("POST", "/uploads", FILE | {"size": size, "processor": processor})
    if figure is None:
        assert answer.status == 201, answer.text
        return
    assert (answer.status, answer.problem) == (413, "upload-too-large")
    assert answer.json["upload_bytes"] == figure
    assert f" {figure} bytes" in answer.json["detail"]


def test_without_a_processor_the_bound_is_what_the_largest_takes(small: Api) -> None:
    bounded = [one for name, one in installed().items() if name in {"copy-file", "hash-files"}]
    served(small, bounded)
    assert small("GET", "/processors").json["limits"]["upload_bytes"] == 2 * MIB
    assert small("POST", "/uploads", FILE | {"size": 2 * MIB}).status == 201
    refused = small("POST", "/uploads", FILE | {"size": 2 * MIB + 1})
    assert (refused.status, refused.json["upload_bytes"]) == (413, 2 * MIB)


def test_an_upload_for_a_processor_that_is_not_there_is_refused(api: Api) -> None:
    answer = api("POST", "/uploads", FILE | {"size": 1, "processor": "none"})
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert [error["pointer"] for error in answer.json["errors"]] == ["/body/processor"]


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_a_submission_is_refused_by_its_uploads_true_size(small: Api, path: str) -> None:
    answer = small("POST", path, hashing(stored(small, 2 * MIB + 1)))
    assert (answer.status, answer.problem) == (413, "upload-too-large")
    assert answer.json["upload_bytes"] == 2 * MIB
    assert small.wiring.store.tasks == {}


def test_a_submission_is_refused_by_all_its_uploads_together(small: Api) -> None:
    uploads = [stored(small, MIB + 1) for _ in range(2)]
    answer = small("POST", "/process-offline", hashing(*uploads))
    assert (answer.status, answer.json["upload_bytes"]) == (413, 2 * MIB)


def test_in_a_batch_the_item_with_too_large_an_upload_says_so(small: Api) -> None:
    tasks = [hashing(stored(small, size)) for size in (10, 2 * MIB + 1)]
    answer = small("POST", "/process-offline/batch", {"tasks": tasks})
    assert answer.status == 207
    first, second = answer.json["items"]
    assert first["task"]["state"] == "queued"
    assert f"takes uploads of {2 * MIB} bytes in all at most" in second["error"]


@pytest.mark.parametrize("task", [hashing, copying])
def test_an_online_task_whose_upload_only_the_worker_takes_goes_on_offline(
    small: Api, task: Callable[[str], dict[str, Any]]
) -> None:
    answer = small("POST", "/process-online", task(stored(small, 2 * MIB)))
    assert (answer.status, answer.json["message"]) == (202, "Task continues offline")
    assert answer.headers["location"] == f"/tasks/{answer.json['task_id']}"
    small.work()
    done = small("GET", f"/tasks/{answer.json['task_id']}").json
    assert (done["state"], done["mode"]) == ("succeeded", "online"), done["error"]


def test_a_processor_that_the_submit_knows_no_size_for_refuses_it_when_it_opens_it(
    small: Api,
) -> None:
    answer = small("POST", "/process-online", copying(stored(small, 2 * MIB + 1)))
    assert (answer.status, answer.problem) == (422, "task-failed")
    assert f"takes uploads of {2 * MIB} bytes in all at most" in answer.json["detail"]


def test_the_key_of_an_online_task_that_goes_on_offline_is_not_in_flight(small: Api) -> None:
    body = hashing(stored(small, 2 * MIB))
    key = {"Idempotency-Key": "k1"}
    first = small("POST", "/process-online", body, headers=key)
    again = small("POST", "/process-online", body, headers=key)
    assert (first.status, again.status) == (202, 202)
    assert again.json["task_id"] == first.json["task_id"]
    assert again.headers["idempotency-replayed"] == "true"
