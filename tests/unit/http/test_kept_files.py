"""Answers from kept results over HTTP: their objects, and tasks that must wait for uploads."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tandem.files.blobs import task_prefix, upload_key
from tandem.ids import TenantId, UploadId, new_upload_id
from tandem.limits import INLINE_BYTES, RUN_AFTER, UPLOAD_LIFETIME, UPLOAD_RETENTION
from tandem.processing.catalogue import Catalogue
from tests.unit.http.conftest import Answer, Api

LARGE = {"processor": "echo", "input": {"message": "x" * INLINE_BYTES}}
TABLE = b"n\n1\n2\n"


@pytest.fixture
def cached(api: Api) -> Api:
    pure = [replace(one, cache_seconds=60) for one in api.wiring.catalogue.values()]
    api.wiring.catalogue = Catalogue(pure)
    return api


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_a_large_kept_result_is_copied(cached: Api, path: str) -> None:
    first = cached("POST", "/process-online", LARGE)
    second = cached("POST", path, LARGE)
    assert second.headers["age"] == "0"
    assert cached("DELETE", first.headers["location"]).status == 204
    result = cached("GET", second.headers["location"] + "/result")
    key = result.headers["location"].removeprefix("memory:")
    assert key.startswith(task_prefix(second.json["task_id"]))
    assert cached.wiring.blobs.get(key)


@pytest.mark.parametrize("path", ["/process-online", "/process-offline"])
def test_a_kept_result_whose_object_is_gone_is_made_again(cached: Api, path: str) -> None:
    first = cached("POST", "/process-online", LARGE)
    cached.wiring.blobs.delete_under(task_prefix(first.json["task_id"]), limit=10)
    again = cached("POST", path, LARGE)
    assert again.status in {200, 202}
    assert "age" not in again.headers
    cached.work()
    task = cached("GET", again.headers["location"]).json
    assert (task["state"], task["attempts"]) == ("succeeded", 1)


def uploaded(api: Api, waited: timedelta = timedelta(0)) -> UploadId:
    """Return an upload whose file was sent so long after its form was made."""
    upload_id = new_upload_id(api.wiring.clock.now())
    api.wiring.clock.advance(waited)
    place = upload_key(TenantId("acme"), upload_id)
    api.wiring.blobs.put(place, TABLE, content_type="text/csv", filename="t.csv")
    return upload_id


def later(api: Api, upload_id: str, wait: timedelta) -> dict[str, Any]:
    return {
        "processor": "copy-file",
        "input": {"upload": upload_id},
        "run_after": (api.wiring.clock.now() + wait).isoformat(),
    }


def submit(api: Api, body: dict[str, Any]) -> Answer:
    return api("POST", "/process-offline", body)


def test_a_task_that_its_upload_does_not_wait_for_is_refused(api: Api) -> None:
    upload_id = uploaded(api)
    api.wiring.clock.advance(timedelta(days=6))
    answer = submit(api, later(api, upload_id, timedelta(days=1)))
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.json["errors"][0]["pointer"] == "/body/run_after"
    assert upload_id in answer.json["errors"][0]["detail"]
    assert api.wiring.store.tasks == {}
    assert submit(api, later(api, upload_id, timedelta(hours=23))).status == 202


def test_an_upload_is_kept_from_when_it_was_stored(api: Api) -> None:
    """Its id is older: a form is used up to an hour after it was made."""
    upload_id = uploaded(api, UPLOAD_LIFETIME)
    api.wiring.clock.advance(UPLOAD_RETENTION - timedelta(days=1))
    assert submit(api, later(api, upload_id, timedelta(hours=23.5))).status == 202
    assert submit(api, later(api, upload_id, timedelta(hours=24))).status == 422


def test_a_fresh_upload_is_not_looked_at_and_lasts_for_any_delay(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = uploaded(api)
    looked: list[str] = []
    info = api.wiring.blobs.info
    monkeypatch.setattr(api.wiring.blobs, "info", lambda key: looked.append(key) or info(key))
    processor = api.wiring.catalogue["copy-file"]
    plain = [replace(processor, cache_seconds=0)]
    api.wiring.catalogue = Catalogue(plain)
    assert submit(api, later(api, upload_id, RUN_AFTER)).status == 202
    assert looked == []


def test_one_task_of_a_batch_that_cannot_have_its_upload_refuses_the_batch(api: Api) -> None:
    upload_id = uploaded(api)
    api.wiring.clock.advance(timedelta(days=6))
    good, bad = (later(api, upload_id, timedelta(hours=hours)) for hours in (1, 30))
    answer = api("POST", "/process-offline/batch", {"tasks": [good, bad]})
    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "/body/tasks/1/run_after"
    assert api.wiring.store.tasks == {}


@pytest.mark.parametrize("name", ["none", "019b796d-d600-7454-b51c-c9c0a1b1ac50"])
def test_an_upload_that_is_not_there_yet_may_come_in_time(api: Api, name: str) -> None:
    api.wiring.clock.advance(timedelta(days=400))
    assert submit(api, later(api, name, RUN_AFTER)).status == 202
