"""Nothing of one tenant's can be seen, used or changed by another: every operation is tried."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from uuid import uuid4

import httpx2
import pytest

from tandem_tools.harness.stack import DeployedApp, Json, eventually
from tandem_tools.run import sample
from tests.stack.issuer import Issuer
from tests.stack.walk import Call, Things, Uncovered, calls

OWNER, OTHER = "auth0|acme", "auth0|acme2"
SECRET = f"only-acme-knows-{uuid4().hex}"


@dataclass(frozen=True)
class World:
    """Two tenants of one deployment; the first has something of every kind."""

    app: DeployedApp
    owner: httpx2.Client
    other: httpx2.Client
    things: Things

    @property
    def document(self) -> Json:
        return self.owner.get("/openapi.json").raise_for_status().json()


@pytest.fixture(scope="module")
def world(shared: DeployedApp, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> World:
    owner = shared.client(issuer.token(OWNER))
    table = tmp_path_factory.mktemp("acme") / "acme.csv"
    table.write_text(f"secret,n\n{SECRET},1\n")
    upload = sample.send_upload(owner, table)
    key = f"key-{uuid4()}"
    keyed = {"processor": "echo", "input": {"message": SECRET}}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    tasks = {
        "kept": submit(owner, "hash-files", {"uploads": [upload]}),
        "file": submit(owner, "copy-file", {"upload": upload, "filename": table.name}),
        "failed": submit(owner, "unreliable", {"ending": "permanent", "bad_attempts": 9}),
        "large": submit(owner, "echo", {"message": SECRET * 9000}),
        "keyed": submit(owner, **keyed, headers={"Idempotency-Key": key}),
        "queued": submit(owner, "echo", {"message": SECRET}, run_after=tomorrow),
    }
    for name, state in {"kept": "succeeded", "file": "succeeded", "failed": "failed"}.items():
        assert ended(owner, tasks[name])["state"] == state
    ended(owner, tasks["large"])
    cursor = owner.get("/tasks", params={"limit": 1}).json()["next_cursor"]
    on_upload = {"processor": "hash-files", "input": {"uploads": [upload]}}
    return World(
        app=shared,
        owner=owner,
        other=shared.client(issuer.token(OTHER)),
        things=Things(
            ids={"task_id": list(tasks.values()), "upload_id": [upload]},
            secrets=[SECRET, table.name, "auth0|acme/", "auth0%7Cacme/"],
            queries={"cursor": cursor, "deep": "true"},
            headers={"idempotency-key": key},
            bodies={
                "process_online": [keyed, on_upload],
                "process_offline": [keyed, on_upload],
                "process_offline_batch": [{"tasks": [keyed, on_upload]}],
                "create_upload": [{"filename": "mine.csv", "content_type": "text/csv", "size": 10}],
                "redrive_dead_letters": [{"tenant": OWNER, "dry_run": False}],
            },
        ),
    )


def submit(
    client: httpx2.Client,
    processor: str,
    input: Json,  # noqa: A002 - as in the body
    headers: dict[str, str] | None = None,
    **more: str,
) -> str:
    body = {"processor": processor, "input": input, **more}
    answer = client.post("/process-offline", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["task_id"]


def ended(client: httpx2.Client, task_id: str) -> Json:
    def final() -> Json | None:
        task = client.get(f"/tasks/{task_id}").raise_for_status().json()
        return task if task["finished_at"] else None

    return eventually(final, 60)


def seen_by(client: httpx2.Client) -> list[Json]:
    """Return all tasks that a tenant's listing shows, each as it is now."""
    tasks: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/tasks", params={"limit": "100"} | cursor).raise_for_status().json()
        tasks += page["tasks"]
        if page["next_cursor"] is None:
            return tasks
        cursor = {"cursor": page["next_cursor"]}


def wrong_with(call: Call, answer: httpx2.Response, things: Things) -> str | None:
    """Return what an answer to the other tenant gives away, or None."""
    expected = "404" if call.names_a_thing else "403" if call.operators else "2xx-4xx, no 403"
    refused = answer.status_code == (404 if call.names_a_thing else 403)
    right = refused if call.names_a_thing or call.operators else not refused
    shown = call.shown(answer, things)
    if right and not shown and answer.status_code < 500:
        return None
    return f"{call.method} {call.path}: {answer.status_code} (wanted {expected}), shows {shown}"


def test_no_operation_of_the_document_gives_another_tenants_things_away(world: World) -> None:
    before = seen_by(world.owner)
    tried = list(calls(world.document, world.things))
    found = [wrong_with(call, call.send(world.other), world.things) for call in tried]
    assert [one for one in found if one] == []
    assert seen_by(world.owner) == before, "the other tenant changed something"
    assert {call.operation for call in tried if call.names_a_thing} >= {
        "get_task",
        "get_task_result",
        "cancel_task",
        "retry_task",
    }


def test_the_walk_finds_them_when_their_owner_takes_it(world: World) -> None:
    """The walk can fail: what the other tenant does not get, the owner does."""
    reads = [call for call in calls(world.document, world.things) if call.method == "GET"]
    found = {
        call.operation
        for call in reads
        if wrong_with(call, call.send(world.owner), world.things) is not None
    }
    assert {"list_tasks", "get_task", "get_task_result"} <= found


def test_another_tenants_upload_is_no_upload(world: World) -> None:
    [upload] = world.things.ids["upload_id"]
    body = {"processor": "copy-file", "input": {"upload": upload}}
    answer = world.other.post("/process-online", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:tandem:problem:task-failed")
    assert "there is no upload" in answer.json()["detail"]
    fresh = {"Cache-Control": "no-cache"}
    assert world.owner.post("/process-online", json=body, headers=fresh).status_code == 200


def test_a_kept_result_answers_its_own_tenant_only(world: World) -> None:
    [upload] = world.things.ids["upload_id"]
    body = {"processor": "hash-files", "input": {"uploads": [upload, upload]}}
    assert "age" not in world.owner.post("/process-online", json=body).headers
    assert "age" in world.owner.post("/process-online", json=body).headers
    assert "age" not in world.other.post("/process-online", json=body).headers


def test_the_same_key_makes_a_task_for_each_tenant(world: World) -> None:
    body = {"processor": "echo", "input": {"message": 1}}
    key = {"Idempotency-Key": f"both-{uuid4()}"}
    made = {
        tenant.post("/process-offline", json=body, headers=key).json()["task_id"]
        for tenant in (world.owner, world.other, world.owner)
    }
    assert len(made) == 2


def test_an_upload_form_writes_nowhere_but_where_it_says(world: World) -> None:
    """A tenant's form cannot be turned to another tenant's key."""
    asked = {"filename": "x.csv", "content_type": "text/csv", "size": 10}
    form = world.other.post("/uploads", json=asked).json()
    [upload] = world.things.ids["upload_id"]
    for key in (f"uploads/{OWNER}/{upload}", f"uploads/{OTHER}/{uuid4()}", "tasks/x/input.json"):
        fields = form["fields"] | {"key": key}
        answer = httpx2.post(form["url"], data=fields, files={"file": ("x.csv", b"a\n1\n")})
        assert answer.status_code == 403, (key, answer.text)


TRICKS: list[Callable[[str], str]] = [
    lambda task_id: f"//tasks/{task_id}",
    lambda task_id: f"/tasks//{task_id}",
    lambda task_id: f"/tasks/{task_id}/",
    lambda task_id: f"/tasks/./{task_id}",
    lambda task_id: f"/tasks/x/../{task_id}",
    lambda task_id: f"/tasks/%2e%2e/tasks/{task_id}",
    lambda task_id: f"/health/../tasks/{task_id}",
    lambda task_id: f"/health/%2e%2e/tasks/{task_id}",
    lambda task_id: f"/tasks%2f{task_id}",
    lambda task_id: f"/tasks/{task_id}%2fresult",
    lambda task_id: f"/tasks/{task_id}%00",
    lambda task_id: f"/tasks/{task_id};x=1",
    lambda task_id: f"/tasks/{task_id}%0d%0ax:%20y",
    lambda task_id: f"/tasks/{task_id.upper()}",
    lambda task_id: f"/tasks/{{{task_id}}}",
    lambda task_id: f"/tasks/urn:uuid:{task_id}",
    lambda task_id: f"/TASKS/{task_id}",
    lambda task_id: f"/tasks/{task_id}#/health",
    lambda task_id: f"/tasks/{task_id}?x=/health",
    lambda task_id: f"/tasks/%ff%fe{task_id}",
    lambda task_id: "/tasks/" + "a" * 7000,
    lambda task_id: "/tasks?cursor=" + "%ff" * 2000,
    lambda task_id: "/tasks?" + "&".join(f"x{n}={n}" for n in range(1000)),
]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_path_trick_reaches_another_tenant_or_breaks_the_api(
    world: World, trick: Callable[[str], str], method: str
) -> None:
    path = trick(world.things.ids["task_id"][0])
    status, text = raw(world.other, method, path)
    assert 200 <= status < 500, (status, text)
    assert SECRET not in text
    assert not (status == 200 and '"history"' in text)


@pytest.mark.parametrize("trick", TRICKS[6:9])
def test_the_open_route_opens_no_other(world: World, trick: Callable[[str], str]) -> None:
    """`/health` needs no token; what only starts like it does."""
    path = trick(world.things.ids["task_id"][0])
    assert raw(world.app.anonymous, "GET", path)[0] in {401, 404}


@pytest.mark.parametrize("host", ["", "a:b:c", "[::1", "evil.example", "x" * 3000])
def test_no_host_header_breaks_the_api(world: World, host: str) -> None:
    status, text = raw(world.other, "GET", "/tasks", {"Host": host})
    assert status < 500, text
    assert "evil.example" not in text


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "PUT", "PROPFIND", "X"])
def test_a_method_that_no_route_has_is_refused(world: World, method: str) -> None:
    status, _ = raw(world.other, method, "/tasks")
    assert status in {403, 404, 405, 501}, status


def raw(
    client: httpx2.Client, method: str, target: str, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Send a target as it is: clients tidy paths up."""
    connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=30)
    try:
        token = client.headers.get("authorization")
        bearer = {"Authorization": token} if token else {}
        connection.request(method, target, headers=bearer | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


THINGS = Things(ids={"task_id": ["1"]}, secrets=[], bodies={"create_upload": [{}]})


def document(path: str, operation: Json) -> Json:
    return {"paths": {path: {"post": {"operationId": "new_thing"} | operation}}}


@pytest.mark.parametrize(
    "unknown",
    [
        document("/things/{thing_id}", {"parameters": [{"in": "path", "name": "thing_id"}]}),
        document("/things", {"requestBody": {"required": True}}),
    ],
)
def test_an_operation_that_the_walk_does_not_know_fails_it(unknown: Json) -> None:
    with pytest.raises(Uncovered):
        list(calls(unknown, THINGS))


def test_a_known_parameter_covers_a_new_operation() -> None:
    new = document("/tasks/{task_id}/x", {"parameters": [{"in": "path", "name": "task_id"}]})
    [call] = calls(new, replace(THINGS, ids={"task_id": ["7"]}))
    assert (call.path, call.names_a_thing) == ("/tasks/7/x", True)
    assert json.dumps(call.body) == "null"
