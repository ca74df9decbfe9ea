"""What a deployment takes of uploads: shown, asked before the file is sent, and asked again."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import new_upload_id
from tandem.limits import UPLOAD_BYTES
from tandem.processing.catalogue import Catalogue, installed
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tandem_tools.paths import PROJECT
from tests.unit.api.conftest import Api

MIB = 1024 * 1024
FILE = {"filename": "orders.csv", "content_type": "text/csv"}
SMALL = Settings(api_storage_mb=193, worker_storage_mb=194)
"""With so little disk, `summarize-table` takes 1 MiB in the API and 2 in the worker."""


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.handler.stop()


@pytest.fixture
def small(api: Api) -> Api:
    api.wiring = MemoryWiring(SMALL)
    api.handler = LambdaHandler(create_app(api.wiring))
    return api


def stored(api: Api, content: bytes) -> str:
    upload_id = new_upload_id(api.wiring.clock.now())
    api.wiring.blobs.put(f"uploads/acme/{upload_id}", content, content_type="text/csv")
    return upload_id


def table(size: int) -> bytes:
    return b"a\n" + b"1\n" * ((size - 2) // 2)


def taken(api: Api) -> dict[str, Any]:
    found = api("GET", "/processors").json
    return {one["name"]: one["upload_bytes"] for one in found["processors"]}


def test_the_catalogue_says_what_each_processor_takes_on_this_deployment(
    api: Api, small: Api
) -> None:
    modules = {name: one.run.__module__ for name, one in installed().items()}
    samples = {name for name, module in modules.items() if module.startswith("processors.")}
    assert {name: size for name, size in taken(small).items() if name in samples | {"echo"}} == {
        "checksum-files": {"online": 20 * 64 * MIB, "offline": 100 * 64 * MIB},
        "convert-table": {"online": MIB // 2, "offline": MIB},
        "echo": {"online": 0, "offline": 0},
        "query-table": {"online": MIB, "offline": 2 * MIB},
        "summarize-table": {"online": MIB, "offline": 2 * MIB},
    }


def test_the_catalogue_of_the_templates_own_sizes(api: Api) -> None:
    found = taken(api)
    assert found["summarize-table"] == {
        "online": int(20 * 10 * 1024 / 1769 * MIB),
        "offline": 900 * MIB,
    }
    assert found["query-table"] == {"online": 320 * MIB, "offline": 1856 * MIB}
    assert found["convert-table"] == {"online": 160 * MIB, "offline": 928 * MIB}
    assert api("GET", "/processors").json["limits"]["upload_bytes"] == UPLOAD_BYTES


@pytest.mark.parametrize(
    ("processor", "size", "figure"),
    [
        ("summarize-table", 2 * MIB, None),
        ("summarize-table", 2 * MIB + 1, 2 * MIB),
        ("convert-table", MIB + 1, MIB),
        ("checksum-files", 2 * MIB + 1, None),
        ("checksum-files", UPLOAD_BYTES + 1, UPLOAD_BYTES),
        ("echo", 1, 0),
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
    tables = [one for name, one in installed().items() if name.endswith("-table")]
    small.wiring = MemoryWiring(SMALL, catalogue=Catalogue(tables))
    small.handler = LambdaHandler(create_app(small.wiring))
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
    upload = stored(small, table(2 * MIB + 2))
    answer = small("POST", path, {"processor": "summarize-table", "input": {"upload": upload}})
    assert (answer.status, answer.problem) == (413, "upload-too-large")
    assert answer.json["upload_bytes"] == 2 * MIB
    assert small.wiring.store.tasks == {}


def test_in_a_batch_the_item_with_too_large_an_upload_says_so(small: Api) -> None:
    uploads = [stored(small, table(size)) for size in (10, 2 * MIB + 2)]
    tasks = [{"processor": "summarize-table", "input": {"upload": one}} for one in uploads]
    answer = small("POST", "/process-offline/batch", {"tasks": tasks})
    assert answer.status == 207
    first, second = answer.json["items"]
    assert first["task"]["state"] == "queued"
    assert f"takes uploads of {2 * MIB} bytes in all at most" in second["error"]


@pytest.mark.parametrize(
    ("processor", "more"),
    [("summarize-table", {}), ("query-table", {"sql": "SELECT count(*) AS n FROM data"})],
)
def test_an_online_task_whose_upload_only_the_worker_takes_goes_on_offline(
    small: Api, processor: str, more: dict[str, str]
) -> None:
    upload = stored(small, table(2 * MIB))
    body = {"processor": processor, "input": {"upload": upload} | more}
    answer = small("POST", "/process-online", body)
    assert (answer.status, answer.json["message"]) == (202, "Task continues offline")
    assert answer.headers["location"] == f"/tasks/{answer.json['task_id']}"
    small.work()
    done = small("GET", f"/tasks/{answer.json['task_id']}").json
    assert (done["state"], done["mode"]) == ("succeeded", "online"), done["error"]


def test_a_processor_that_the_submit_knows_no_size_for_refuses_it_when_it_opens_it(
    small: Api,
) -> None:
    upload = stored(small, table(2 * MIB + 2))
    body = {"processor": "query-table", "input": {"upload": upload, "sql": "SELECT 1"}}
    answer = small("POST", "/process-online", body)
    assert (answer.status, answer.problem) == (422, "task-failed")
    assert f"takes uploads of {2 * MIB} bytes in all at most" in answer.json["detail"]


def test_the_key_of_an_online_task_that_goes_on_offline_is_not_in_flight(small: Api) -> None:
    upload = stored(small, table(2 * MIB))
    body = {"processor": "summarize-table", "input": {"upload": upload}}
    key = {"Idempotency-Key": "k1"}
    first = small("POST", "/process-online", body, headers=key)
    again = small("POST", "/process-online", body, headers=key)
    assert (first.status, again.status) == (202, 202)
    assert again.json["task_id"] == first.json["task_id"]
    assert again.headers["idempotency-replayed"] == "true"


def test_the_page_on_sizes_says_what_the_samples_take() -> None:
    page = (PROJECT / "docs/operations.md").read_text()
    (section,) = re.findall(r"## Sizes of uploads\n(.*?)\n## ", page, re.DOTALL)
    wiring = MemoryWiring()
    for name in ("summarize-table", "query-table", "checksum-files"):
        processor = wiring.catalogue[name]
        for size in (wiring.capacity.online(processor), wiring.capacity.offline(processor)):
            assert size is not None
            assert f" {size // 1024**2} " in " ".join(section.split()).replace(".", " "), name
    table, converted = (wiring.catalogue[name] for name in ("query-table", "convert-table"))
    half = wiring.capacity.offline(converted)
    assert half is not None
    assert wiring.capacity.offline(table) == 2 * half
