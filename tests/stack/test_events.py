"""Every file in events/ on the built artifact, by Lambda's own emulator and runtime client."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tandem.aws.dynamodb_tasks import DynamoDBTaskStore
from tandem.callbacks.callback import Callback, CallbackState
from tandem.callbacks.signing import key_text, tenant_key
from tandem.clock import whole_milliseconds
from tandem.ids import TaskId
from tandem.lambda_events import http_event, sqs_record
from tandem.settings import read_settings
from tandem.tasks.task import InlinePayload, State
from tandem_tools.build import sam as artifact
from tandem_tools.harness.receiver import Receiver
from tandem_tools.harness.resources import Resources, declared_variables, functions_of
from tandem_tools.harness.tasks import finish_at, make_task
from tandem_tools.paths import PROJECT
from tandem_tools.template import load_template
from tests.factories.pages import python_blocks
from tests.stack.runtime import FunctionRuntime, InvocationFailed

EVENTS = PROJECT / "events"
GOOD = TaskId("019ab1c2-d3e4-7f50-8a6b-7c8d9e0f1a21")
FAILING = TaskId("019ab1c2-d3e4-7f50-8a6b-7c8d9e0f1a22")
ENDED = TaskId("019ab1c2-d3e4-7f50-8a6b-7c8d9e0f1a31")


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def now() -> datetime:
    return whole_milliseconds(datetime.now(UTC))


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resources]:
    artifact.build(artifact.machine_architecture())
    with Resources(tmp_path_factory.mktemp("resources")) as made:
        yield made


@pytest.fixture(scope="module")
def api(
    resources: Resources, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FunctionRuntime]:
    scratch = tmp_path_factory.mktemp("api")
    with FunctionRuntime(resources.function("ApiFunction"), scratch) as running:
        yield running


@pytest.fixture(scope="module")
def worker(
    resources: Resources, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FunctionRuntime]:
    scratch = tmp_path_factory.mktemp("worker")
    with FunctionRuntime(resources.function("WorkerFunction"), scratch) as running:
        yield running


@pytest.fixture(scope="module")
def store(resources: Resources) -> DynamoDBTaskStore:
    settings = read_settings(resources.function("WorkerFunction").environment)
    return DynamoDBTaskStore(
        resources.aws.dynamodb, settings.table_name, shards=settings.index_shards
    )


def take_messages(resources: Resources, queue_url: str, *, wait_seconds: int = 0) -> list[Any]:
    """Receive and delete what is in a queue, or comes into it while nothing is."""
    taken: list[Any] = []
    while True:
        received = resources.aws.sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=0 if taken else wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        if not received.get("Messages"):
            return taken
        for message in received["Messages"]:
            resources.aws.sqs.delete_message(
                QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        taken += received["Messages"]


def test_health_answers_without_a_token(api: FunctionRuntime) -> None:
    answer = api.invoke(load("api-health.json"))

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"status": "ok"}
    assert answer["headers"]["x-request-id"] == "UZk3XhWgliAEJ7Q="


def test_an_online_task_is_answered_and_recorded(
    api: FunctionRuntime, store: DynamoDBTaskStore
) -> None:
    answer = api.invoke(load("api-process-online.json"))

    assert answer["statusCode"] == 200
    body = json.loads(answer["body"])
    assert body["message"] == "Processed online"
    assert body["output"] == {"message": "hello"}
    task = store.get(TaskId(body["task_id"]))
    assert task is not None
    assert task.state is State.SUCCEEDED
    assert task.tenant == "4k2v9q7n1m8c5x3z6b0l2j4h8g"


def test_an_offline_task_is_recorded_and_sent_with_its_id_and_trace_alone(
    api: FunctionRuntime, resources: Resources, store: DynamoDBTaskStore
) -> None:
    answer = api.invoke(load("api-process-offline.json"))

    assert answer["statusCode"] == 202
    body = json.loads(answer["body"])
    assert body["message"] == "Task enqueued for offline processing"
    assert answer["headers"]["location"] == f"/tasks/{body['task_id']}"
    task = store.get(TaskId(body["task_id"]))
    assert task is not None
    assert task.state is State.QUEUED
    [message] = take_messages(resources, resources.queue_url)
    assert json.loads(message["Body"]) == {"task_id": body["task_id"]}
    assert message["Attributes"]["MessageGroupId"] == "4k2v9q7n1m8c5x3z6b0l2j4h8g"
    traceparent = message["MessageAttributes"]["traceparent"]["StringValue"]
    assert traceparent.split("-")[1] == "69221f484e1c2b7a9d3f5e6081a2b3c4"


@pytest.mark.parametrize(
    ("file", "base"), [("api-named-stage.json", "/prod"), ("api-own-domain.json", "/v1")]
)
def test_a_request_of_another_place_is_answered_with_links_of_that_place(
    resources: Resources, tmp_path: Path, file: str, base: str
) -> None:
    function = resources.function("ApiFunction")
    own = {"CONSOLE_URL": "https://api.example.com/v1"}
    function = replace(function, environment={**function.environment, **own})
    with FunctionRuntime(function, tmp_path) as api:
        answer = api.invoke(load(file))

    assert answer["statusCode"] == 202
    body = json.loads(answer["body"])
    place = f"{base}/tasks/{body['task_id']}"
    assert (answer["headers"]["location"], body["task"]["links"]["self"]) == (place, place)
    take_messages(resources, resources.queue_url)


@pytest.mark.parametrize("file", ["api-function-url.json", "api-target-group.json"])
def test_a_request_of_another_door_is_refused(api: FunctionRuntime, file: str) -> None:
    answer = api.invoke(load(file))

    assert answer["statusCode"] == 401
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["type"] == "urn:tandem:problem:unauthenticated"


def test_the_heavy_task_is_queued_by_one_function_and_run_by_the_other(
    api: FunctionRuntime, worker: FunctionRuntime, resources: Resources
) -> None:
    answer = api.invoke(load("api-heavy-task.json"))

    assert answer["statusCode"] == 202
    body = json.loads(answer["body"])
    assert body["message"] == "Task is running"
    [message] = take_messages(resources, resources.queue_url)
    assert worker.invoke({"Records": [sqs_record(message["Body"])]}) == {"batchItemFailures": []}
    asked = load("api-process-online.json")
    result = api.invoke(as_get(asked, f"/tasks/{body['task_id']}/result"))
    assert result["statusCode"] == 200
    assert len(json.loads(result["body"])["files"]) == 4


def as_get(event: Any, path: str) -> Any:
    """Return a GET of the same caller."""
    context = event["requestContext"]
    http = context["http"] | {"method": "GET", "path": path}
    changed = event | {"rawPath": path, "requestContext": context | {"http": http}}
    del changed["body"]
    return changed


def test_a_batch_runs_the_good_and_dead_letters_the_rest_with_reasons(
    worker: FunctionRuntime, resources: Resources, store: DynamoDBTaskStore
) -> None:
    event = load("sqs-batch.json")
    store.put(make_task(now(), task_id=GOOD))
    uploads = InlinePayload(json.dumps({"uploads": ["019ab1c2-0000-7000-8000-000000000000"]}))
    store.put(make_task(now(), task_id=FAILING, processor="echo", input=uploads))

    answer = worker.invoke(event)

    assert answer == {"batchItemFailures": []}
    good, failing = store.get(GOOD), store.get(FAILING)
    assert good is not None
    assert good.state is State.SUCCEEDED
    assert good.output == InlinePayload('{"message":"hello"}')
    assert failing is not None
    assert failing.state is State.FAILED
    assert failing.attempts == 1
    dead = {
        message["MessageAttributes"]["reason"]["StringValue"]: message
        for message in take_messages(resources, resources.dead_letter_queue_url)
    }
    assert sorted(dead) == ["unparsable"]
    assert failing.listed_at is not None
    assert failing.error is not None
    assert "Field required" in failing.error.message
    _, _, unparsable_record = event["Records"]
    assert dead["unparsable"]["Body"] == unparsable_record["body"]


def test_a_message_whose_processor_is_not_deployed_yet_comes_back_at_no_cost(
    worker: FunctionRuntime, resources: Resources, store: DynamoDBTaskStore
) -> None:
    task = make_task(now(), processor="not-deployed-yet", attempts=1)
    store.put(task)
    resources.aws.sqs.send_message(
        QueueUrl=resources.queue_url,
        MessageBody=json.dumps({"task_id": task.task_id}),
        MessageGroupId=task.tenant,
    )
    [message] = resources.aws.sqs.receive_message(QueueUrl=resources.queue_url)["Messages"]
    record = sqs_record(message["Body"]) | {"receiptHandle": message["ReceiptHandle"]}

    answer = worker.invoke({"Records": [record]})

    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    waiting = store.get(task.task_id)
    assert waiting is not None
    assert waiting.state is State.QUEUED
    assert (waiting.attempts, waiting.uncounted) == (2, 1)
    error = waiting.history[-1].error
    assert error is not None
    assert error.type == "UnknownProcessor"
    # Hidden for a second at first, and not for the queue's 720 seconds.
    [again] = take_messages(resources, resources.queue_url, wait_seconds=10)
    assert again["MessageId"] == message["MessageId"]


def test_a_callback_is_sent_signed_from_the_artifact(
    resources: Resources, store: DynamoDBTaskStore, tmp_path: Path
) -> None:
    with Receiver("127.0.0.1") as receiver:
        task = make_task(now(), task_id=ENDED, callback=Callback(url=receiver.url))
        finish_at(store, task, now())
        function = resources.function("CallbackFunction")
        trusting = {
            "SSL_CERT_FILE": str(receiver.write_authority(tmp_path / "authority.pem")),
            "CALLBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        function = replace(function, environment={**function.environment, **trusting})
        with FunctionRuntime(function, tmp_path) as callback:
            answer = callback.invoke(load("sqs-callback.json"))

    assert answer == {"batchItemFailures": []}
    (post,) = receiver.requests
    secret = resources.aws.secrets_manager.get_secret_value(
        SecretId=function.environment["CALLBACK_SECRET"]
    )["SecretString"]
    key = key_text(tenant_key(secret, task.tenant))
    assert Webhook(key).verify(post.body, post.headers)["data"]["task_id"] == ENDED
    told = store.get(ENDED)
    assert told is not None
    assert told.callback is not None
    assert told.callback.state is CallbackState.DELIVERED


def test_a_tick_reports_exactly_what_finished(
    api: FunctionRuntime, resources: Resources, store: DynamoDBTaskStore, tmp_path: Path
) -> None:
    for _ in range(3):
        moment = now() - timedelta(minutes=2)
        finish_at(store, make_task(moment, processor="only-in-this-report"), moment)

    with FunctionRuntime(resources.function("ReportFunction"), tmp_path) as report:
        closed = report.invoke(load("schedule-tick.json"))["closed"]
        again = report.invoke(load("schedule-tick.json"))["closed"]

    assert closed
    assert not set(closed) & set(again)
    listed = api.invoke(http_event("GET", "/reports"))
    reports = json.loads(listed["body"])["reports"]
    counts = [
        count
        for one in reports
        for count in one["counts"]
        if count["processor"] == "only-in-this-report"
    ]
    assert [(count["outcome"], count["tasks"]) for count in counts] == [("succeeded", 3)]


def test_an_error_is_a_problem_document_as_plain_text(api: FunctionRuntime) -> None:
    event = load("api-process-online.json")
    del event["requestContext"]["authorizer"]

    answer = api.invoke(event)

    assert answer["statusCode"] == 401
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["isBase64Encoded"] is False
    assert json.loads(answer["body"])["type"] == "urn:tandem:problem:unauthenticated"


def test_the_lifespan_runs_once_for_all_invocations_of_an_execution_environment(
    resources: Resources, tmp_path: Path
) -> None:
    with FunctionRuntime(resources.function("ApiFunction"), tmp_path) as running:
        for _ in range(3):
            assert running.invoke(load("api-health.json"))["statusCode"] == 200

    logged = [entry["message"] for entry in running.log_entries() if "message" in entry]
    assert logged.count("started") == 1
    assert logged.count("request") == 3


def test_a_dependency_missing_from_the_artifact_is_noticed(
    resources: Resources, tmp_path: Path
) -> None:
    function = resources.function("ApiFunction")
    folder = tmp_path / "incomplete"
    folder.mkdir()
    for path in function.folder.iterdir():
        if path.name != "fastapi":
            (folder / path.name).symlink_to(path)

    with (
        FunctionRuntime(replace(function, folder=folder), tmp_path) as running,
        pytest.raises(InvocationFailed, match="No module named 'fastapi'"),
    ):
        running.invoke(load("api-health.json"))


def test_the_how_to_on_invoking_runs_as_it_is_written(tmp_path: Path) -> None:
    [block] = python_blocks("docs/how-to/invoke-one-function.md")
    names: dict[str, Any] = {}
    exec(compile(block, "how-to", "exec"), names)  # noqa: S102 - our own page
    names["test_one_event_of_mine"](tmp_path)


def _named(value: Any) -> list[str]:
    """Return what an expression of the template names."""
    return [value.get("Ref", ""), value.get("Fn::GetAtt", "").partition(".")[0]]


def test_the_env_file_names_what_sam_local_cannot_know() -> None:
    template = load_template()
    resources = template["Resources"]
    unknown = {
        name
        for function in functions_of(template)
        for name, value in declared_variables(template, function).items()
        if isinstance(value, dict) and set(_named(value)) & resources.keys()
    }

    assert set(load("env.json")["Parameters"]) == unknown
