"""What a deployment takes of tables, and what the page says of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import new_upload_id
from tandem.settings import Settings
from tandem.testing import MemoryWiring
from tests.unit.http.conftest import Api
from tests.unit.processors.sizes_page import sizes_on_the_page

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


def stored(api: Api, size: int) -> str:
    upload_id = new_upload_id(api.wiring.clock.now())
    content = b"a\n" + b"1\n" * ((size - 2) // 2)
    api.wiring.blobs.put(f"uploads/acme/{upload_id}", content, content_type="text/csv")
    return upload_id


def taken(api: Api) -> dict[str, Any]:
    found = api("GET", "/processors").json["processors"]
    return {one["name"]: one["upload_bytes"] for one in found if one["name"].endswith("-table")}


def test_the_catalogue_says_what_tables_a_small_deployment_takes(small: Api) -> None:
    assert taken(small) == {
        "convert-table": {"online": MIB // 2, "offline": MIB},
        "query-table": {"online": MIB, "offline": 2 * MIB},
        "summarize-table": {"online": MIB, "offline": 2 * MIB},
    }


def test_the_catalogue_of_the_templates_own_sizes(api: Api) -> None:
    assert taken(api) == {
        "summarize-table": {
            "online": int(20 * 10 * 1024 / 1769 * MIB),
            "offline": 900 * MIB,
        },
        "query-table": {"online": 320 * MIB, "offline": 1856 * MIB},
        "convert-table": {"online": 160 * MIB, "offline": 928 * MIB},
    }


@pytest.mark.parametrize(
    ("processor", "size", "figure"),
    [
        ("summarize-table", 2 * MIB, None),
        ("summarize-table", 2 * MIB + 1, 2 * MIB),
        ("convert-table", MIB + 1, MIB),
    ],
)
def test_a_table_that_its_processor_does_not_take_is_refused_before_it_is_sent(
    small: Api, processor: str, size: int, figure: int | None
) -> None:
    answer = small("POST", "/uploads", FILE | {"size": size, "processor": processor})
    if figure is None:
        assert answer.status == 201, answer.text
        return
    assert (answer.status, answer.problem) == (413, "upload-too-large")
    assert answer.json["upload_bytes"] == figure
    assert f" {figure} bytes" in answer.json["detail"]


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_a_submission_is_refused_by_its_tables_true_size(small: Api, path: str) -> None:
    upload = stored(small, 2 * MIB + 2)
    answer = small("POST", path, {"processor": "summarize-table", "input": {"upload": upload}})
    assert (answer.status, answer.problem) == (413, "upload-too-large")
    assert answer.json["upload_bytes"] == 2 * MIB
    assert small.wiring.store.tasks == {}


@pytest.mark.parametrize(
    ("processor", "more"),
    [("summarize-table", {}), ("query-table", {"sql": "SELECT count(*) AS n FROM data"})],
)
def test_an_online_task_whose_table_only_the_worker_takes_goes_on_offline(
    small: Api, processor: str, more: dict[str, str]
) -> None:
    body = {"processor": processor, "input": {"upload": stored(small, 2 * MIB)} | more}
    answer = small("POST", "/process-online", body)
    assert (answer.status, answer.json["message"]) == (202, "Task continues offline")
    small.work()
    done = small("GET", f"/tasks/{answer.json['task_id']}").json
    assert (done["state"], done["mode"]) == ("succeeded", "online"), done["error"]


def test_the_page_on_sizes_says_what_the_table_processors_take() -> None:
    page = sizes_on_the_page()
    wiring = MemoryWiring()
    for name in ("summarize-table", "query-table"):
        processor = wiring.catalogue[name]
        for size in (wiring.capacity.online(processor), wiring.capacity.offline(processor)):
            assert size is not None
            assert f" {size // 1024**2} " in page, name
    queried, converted = (wiring.catalogue[name] for name in ("query-table", "convert-table"))
    half = wiring.capacity.offline(converted)
    assert half is not None
    assert wiring.capacity.offline(queried) == 2 * half
