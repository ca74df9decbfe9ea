"""Callbacks on the deployed stack: real TLS receivers on loopback, a secret that is rotated."""

import json
import socket
from collections.abc import Iterator
from functools import partial

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tandem_tools.harness.receiver import Receiver, Request, answer_with
from tandem_tools.harness.stack import RECEIVER_ADDRESS, DeployedApp, Json, eventually

REFUSED = [
    "http://example.com/",
    "https://user:password@example.com/",
    "https://localhost/",
    "https://hooks.localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[2002:7f00:1::]/",
]


NO_MEMORY = {"POWERTOOLS_PARAMETERS_MAX_AGE": "0"}
"""A rotation shows at once, not within five minutes."""


@pytest.fixture(scope="module")
def receiver(app: DeployedApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The receiver of this module; the deployed function trusts its authority."""
    with Receiver(RECEIVER_ADDRESS) as running:
        authority = running.write_authority(tmp_path_factory.mktemp("tls") / "authority.pem")
        app.configure("callback", SSL_CERT_FILE=str(authority), **NO_MEMORY)
        app.configure("api", **NO_MEMORY)
        yield running


def submit(app: DeployedApp, url: str, processor: str = "echo", **data: object) -> str:
    body = {"processor": processor, "input": data or {"message": "hello"}, "callback_url": url}
    response = app.machine.post("/process-offline", json=body)
    assert response.status_code == 202, response.text
    task_id: str = response.json()["task_id"]
    return task_id


def sent(receiver: Receiver, task_id: str, times: int = 1) -> list[Request]:
    """Wait until a task's end was posted so often, and return the posts."""

    def arrived() -> list[Request] | None:
        mine = [one for one in receiver.requests if one.headers["webhook-id"] == task_id]
        return mine if len(mine) >= times else None

    return eventually(arrived, 30)


def callback(app: DeployedApp, task_id: str, state: str) -> Json:
    """Wait until a task's callback is in a state, and return it."""

    def reached() -> Json | None:
        found: Json = app.machine.get(f"/tasks/{task_id}").json()["callback"]
        return found if found["state"] == state else None

    return eventually(reached, 30)


def letter(app: DeployedApp, task_id: str) -> Json:
    """Wait until a task's callback was given up, and return that as an operator sees it."""

    def given_up() -> Json | None:
        query = {"queue": "callbacks", "limit": 100}
        letters = app.operator.get("/dead-letters", params=query).json()["letters"]
        mine = (one for one in letters if one["task_id"] == task_id)
        return next(mine, None)

    return eventually(given_up, 30)


def keys(app: DeployedApp) -> list[str]:
    answer = app.machine.get("/callback-keys").raise_for_status()
    return [one["key"] for one in answer.json()["keys"]]


def test_the_receiver_gets_one_signed_post_that_its_library_verifies(
    app: DeployedApp, receiver: Receiver
) -> None:
    task_id = submit(app, f"{receiver.url}/hooks?a=b")
    (post,) = sent(receiver, task_id)
    assert (post.method, post.path) == ("POST", "/hooks?a=b")
    assert post.headers["content-type"] == "application/json"
    event = Webhook(keys(app)[0]).verify(post.body, post.headers)
    assert (event["type"], event["data"]["task_id"]) == ("task.succeeded", task_id)
    assert app.machine.get(event["data"]["links"]["result"]).json() == {"message": "hello"}
    done = callback(app, task_id, "delivered")
    assert (done["attempts"], done["error"]) == (1, None)
    assert len(sent(receiver, task_id)) == 1


def test_a_failure_and_a_cancel_are_told_too(app: DeployedApp, receiver: Receiver) -> None:
    failed = submit(app, receiver.url, "unreliable", ending="permanent", bad_attempts=9)
    assert json.loads(sent(receiver, failed)[0].body)["type"] == "task.failed"
    body = {
        "processor": "echo",
        "input": {"message": 1},
        "run_after": "2099-01-01T00:00:00Z",
        "callback_url": receiver.url,
    }
    assert app.machine.post("/process-offline", json=body).status_code == 422
    online = app.machine.post("/process-online", json={**body, "run_after": None}).json()["task_id"]
    assert json.loads(sent(receiver, online)[0].body)["type"] == "task.succeeded"


def test_another_tenants_key_does_not_verify(app: DeployedApp, receiver: Receiver) -> None:
    (post,) = sent(receiver, submit(app, receiver.url))
    others = app.operator.get("/callback-keys").json()["keys"][0]["key"]
    with pytest.raises(WebhookVerificationError):
        Webhook(others).verify(post.body, post.headers)


def test_after_a_rotation_receivers_with_the_old_key_and_with_the_new_one_verify(
    app: DeployedApp, receiver: Receiver
) -> None:
    old = keys(app)[0]
    secret = app.variables("callback")["CALLBACK_SECRET"]
    value = app.aws.secrets_manager.get_random_password(PasswordLength=64, ExcludePunctuation=True)
    app.aws.secrets_manager.put_secret_value(SecretId=secret, SecretString=value["RandomPassword"])
    (post,) = sent(receiver, submit(app, receiver.url))
    assert len(post.headers["webhook-signature"].split(" ")) == 2
    Webhook(old).verify(post.body, post.headers)
    current, previous = keys(app)
    assert (previous == old, current == old) == (True, False)
    Webhook(current).verify(post.body, post.headers)


def test_a_failing_receiver_is_tried_again_then_given_up_once_and_can_be_redriven(
    app: DeployedApp, receiver: Receiver
) -> None:
    receiver.answer = answer_with(503, b"secret text of the receiver")
    task_id = submit(app, receiver.url)
    posts = sent(receiver, task_id, times=3)
    assert len({post.body for post in posts}) == 1
    given_up = letter(app, task_id)
    assert (given_up["reason"], given_up["error"]) == ("attempts-exhausted", "it answered 503")
    failed = callback(app, task_id, "failed")
    assert (failed["attempts"], failed["error"]) == (3, "it answered 503")
    assert given_up["letter_id"] is None
    receiver.answer = answer_with(204)
    wanted = {"queue": "callbacks", "task_ids": [task_id], "dry_run": False}
    redrive = partial(app.operator.post, "/dead-letters/redrive", json=wanted)
    (first,) = redrive().json()["letters"]
    (second,) = redrive().json()["letters"]
    assert (first["done"], second["done"] in {"already-retried", "settled"}) == ("sent-again", True)
    assert callback(app, task_id, "delivered")["attempts"] == 1
    logged = json.dumps(app.log_entries("callback"))
    assert "secret text" not in logged
    assert receiver.url not in logged


def test_a_receiver_that_is_gone_is_not_tried_again(app: DeployedApp, receiver: Receiver) -> None:
    receiver.answer = answer_with(410)
    task_id = submit(app, receiver.url)
    assert letter(app, task_id)["reason"] == "gone"
    assert len(sent(receiver, task_id)) == 1
    receiver.answer = answer_with(204)


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_must_not_be_called_is_refused_at_submit(app: DeployedApp, url: str) -> None:
    body = {"processor": "echo", "input": {"message": 1}, "callback_url": url}
    answer = app.machine.post("/process-offline", json=body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/body/callback_url"]


def private_name() -> str:
    """Return a name of this machine that resolves to an address that is not public."""
    for name in (socket.gethostname().lower(), "localhost.localdomain", "ip6-localhost"):
        try:
            socket.getaddrinfo(name, 443)
        except OSError:
            continue
        return name
    raise AssertionError


def test_a_name_with_a_private_address_is_not_called_and_the_list_says_so(
    app: DeployedApp, receiver: Receiver
) -> None:
    task_id = submit(app, f"https://{private_name()}:{receiver.port}/")
    found = letter(app, task_id)
    assert found["reason"] == "forbidden-address"
    assert found["error"] == "its name has an address that must not be called"
    assert callback(app, task_id, "failed")["attempts"] == 1


def test_a_callback_that_was_never_given_to_the_queue_is_swept(
    app: DeployedApp, receiver: Receiver
) -> None:
    task_id = submit(app, receiver.url)
    callback(app, task_id, "delivered")
    # As a finish leaves it whose process stopped right after: waiting, and sent by nobody.
    app.aws.dynamodb.update_item(
        TableName=app.description.table,
        Key={"pk": {"S": f"task#{task_id}"}},
        UpdateExpression=(
            "SET callback_shard = :shard, callback.#state = :pending, finished = :long_ago"
        ),
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":shard": {"S": "callback#0"},
            ":pending": {"S": "pending"},
            ":long_ago": {"S": f"2026-01-01T00:00:00.000Z#{task_id}"},
        },
    )
    app.invoke("report", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
    assert len(sent(receiver, task_id, times=2)) == 2
    assert callback(app, task_id, "delivered")["attempts"] == 2
