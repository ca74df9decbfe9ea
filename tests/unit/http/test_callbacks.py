import json
from datetime import timedelta
from typing import Any

import pytest

from tandem.callbacks.ports import Answered
from tests.factories.deliveries import deliver_callbacks
from tests.unit.http.conftest import Api

HOOK = "https://hooks.example.com/tandem"
ECHO = {"processor": "echo", "input": {"message": "hello"}, "callback_url": HOOK}
UPLOAD = "019ab1e0-7c1d-7a52-8d3e-0b5a4c1f2e3d"
PURE = {
    "processor": "hash-files",
    "input": {"uploads": [UPLOAD]},
    "callback_url": HOOK,
}


def told(api: Api) -> list[str]:
    """Return the tasks whose end was told, in order."""
    deliver_callbacks(api.wiring)
    return [json.loads(post.body)["data"]["task_id"] for post in api.wiring.callback_sender.posts]


def test_a_task_shows_its_owner_how_far_its_callback_is(api: Api) -> None:
    location = api("POST", "/process-offline", ECHO).headers["location"]
    pending = {
        "url": HOOK,
        "state": "pending",
        "attempts": 0,
        "delivered_at": None,
        "failed_at": None,
        "reason": None,
        "error": None,
    }
    assert api("GET", location).json["callback"] == pending
    api.work()
    assert told(api) == [location.removeprefix("/tasks/")]
    shown = api("GET", location).json["callback"]
    assert (shown["state"], shown["attempts"]) == ("delivered", 1)
    assert shown["delivered_at"] is not None


def test_a_task_without_a_callback_shows_none(api: Api) -> None:
    body = {"processor": "echo", "input": {"message": 1}}
    location = api("POST", "/process-offline", body).headers["location"]
    assert api("GET", location).json["callback"] is None


def test_every_way_to_submit_takes_a_callback(api: Api) -> None:
    online = api("POST", "/process-online", ECHO).json["task_id"]
    offline = api("POST", "/process-offline", ECHO).json["task_id"]
    batch = api("POST", "/process-offline/batch", {"tasks": [ECHO]}).json["items"][0]["task"]
    api.work()
    again = api("POST", f"/tasks/{offline}/retry").json["task_id"]
    api.work()
    api.wiring.blobs.put(f"uploads/acme/{UPLOAD}", b"hello", content_type="text/plain")
    first = api("POST", "/process-online", PURE).json["task_id"]
    kept = api("POST", "/process-online", PURE)
    assert "age" in kept.headers
    assert sorted(told(api)) == sorted(
        [online, offline, batch["task_id"], again, first, kept.json["task_id"]]
    )


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/process-online", ECHO, "/body/callback_url"),
        ("/process-offline", ECHO, "/body/callback_url"),
        (
            "/process-offline/batch",
            {"tasks": [{**ECHO, "callback_url": HOOK}, ECHO]},
            "/body/tasks/1/callback_url",
        ),
    ],
)
@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "https://169.254.169.254/", "https://localhost/", "https://[::1]/"],
)
def test_a_url_that_must_not_be_called_is_refused_and_nothing_is_recorded(
    api: Api, path: str, body: dict[str, Any], pointer: str, url: str
) -> None:
    wrong = json.loads(json.dumps(body))
    (wrong["tasks"][1] if "tasks" in wrong else wrong)["callback_url"] = url
    answer = api("POST", path, wrong)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    (error,) = answer.json["errors"]
    assert error["pointer"] == pointer
    assert api.wiring.store.tasks == {}


def test_a_tenant_reads_its_own_keys_and_both_of_a_rotation(api: Api) -> None:
    answer = api("GET", "/callback-keys")
    assert answer.headers["cache-control"] == "no-store"
    (first,) = answer.json["keys"]
    assert first["use"] == "current"
    assert first["key"].startswith("whsec_")
    (other,) = api("GET", "/callback-keys", tenant="other").json["keys"]
    assert other["key"] != first["key"]
    api.wiring.secrets.rotate(api.wiring.settings.callback_secret, "another")
    current, previous = api("GET", "/callback-keys").json["keys"]
    assert previous == {"use": "previous", "key": first["key"]}
    assert current["key"] != first["key"]


def test_keys_that_cannot_be_read_are_a_503_that_says_nothing_of_the_secret(api: Api) -> None:
    name = api.wiring.settings.callback_secret
    api.wiring.secrets._versions.clear()
    answer = api("GET", "/callback-keys")
    assert (answer.status, answer.problem) == (503, "unavailable")
    assert name not in answer.text


def test_an_operator_sees_and_redrives_the_callbacks_that_were_given_up(api: Api) -> None:
    operator: dict[str, Any] = {"scopes": ("admin",)}
    task_id = api("POST", "/process-online", ECHO).json["task_id"]
    api.wiring.callback_sender.answers = [Answered(410)]
    deliver_callbacks(api.wiring)
    assert api("GET", "/dead-letters", **operator).json["letters"] == []
    (letter,) = api("GET", "/dead-letters", query="queue=callbacks", **operator).json["letters"]
    assert (letter["reason"], letter["task_id"]) == ("gone", task_id)
    wanted = {"queue": "callbacks"}
    dry = api("POST", "/dead-letters/redrive", wanted, **operator).json
    assert [one["done"] for one in dry["letters"]] == ["sent-again"]
    done = api("POST", "/dead-letters/redrive", wanted | {"dry_run": False}, **operator).json
    assert done["letters"] == [
        {
            "failed_task_id": task_id,
            "letter_id": None,
            "done": "sent-again",
            "task_id": task_id,
        }
    ]
    assert api("GET", "/dead-letters", query="queue=callbacks", **operator).json["letters"] == []
    api.wiring.clock.advance(timedelta(seconds=1))
    assert told(api) == [task_id, task_id]
    assert api("GET", f"/tasks/{task_id}").json["callback"]["state"] == "delivered"


def test_the_document_says_what_a_receiver_gets(api: Api) -> None:
    document = api("GET", "/openapi.json").json
    (webhook,) = document["webhooks"].values()
    schema = webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/TaskEvent"}
