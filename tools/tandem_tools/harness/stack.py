"""The deployed application as its clients and its operators see it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from tandem_tools.build.sam import build, machine_architecture
from tandem_tools.contract import processors as contract_processors
from tandem_tools.paths import BUILD
from tandem_tools.run.deployment import modules_in
from tandem_tools.run.stack import LocalStack, StackDescription
from tandem_tools.run.tokens import request_token

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

type Json = dict[str, Any]

EXTRA_PROCESSORS = (
    *modules_in(Path(__file__).parent / "processors"),
    *modules_in(Path(contract_processors.__path__[0])),
)
"""What the tests deploy beside the application's own processors."""
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})

ALLOWED_ORIGIN = "https://app.example.com"
RECEIVER_ADDRESS = "127.0.0.77"
"""Where tests receive callbacks. The rest of loopback stays forbidden."""

# Short, so that a test sees a message come back: SQS hands one that killed the worker out again
# after the visibility timeout, and dead-letters it after MaxReceiveCount times that.
TEST_PARAMETERS = {
    "CallbackAllowedNetworks": f"{RECEIVER_ADDRESS}/32",
    "CallbackRetrySeconds": "1,1",
    "WorkerTimeoutSeconds": "20",
    "VisibilityTimeoutSeconds": "4",
    "MaxReceiveCount": "6",
    "CorsOrigins": ALLOWED_ORIGIN,
}

NOWHERE = f"{RECEIVER_ADDRESS}:9"
"""Where nobody answers, until a test says where reports are sent to."""

REPORT_PARAMETERS = {
    "ReportTopic": "true",
    "ReportEmail": "reports@example.com",
    "ReportWebhookUrl": f"https://{NOWHERE}/reports",
    "OtlpEndpoint": f"http://{NOWHERE}",
}


@dataclass(frozen=True)
class Tokens:
    """The access tokens of an ordinary client and of an operator."""

    machine: str
    operator: str


class DeployedApp:
    """One running stack, with a client for each kind of caller."""

    def __init__(self, stack: LocalStack, tokens: Tokens) -> None:
        """Make the callers' clients."""
        self.description = stack.description
        self.aws = stack.aws
        self.log_file = stack.log_file
        self._clients: list[httpx2.Client] = []
        self.anonymous = self.client(None)
        self.machine = self.client(tokens.machine)
        self.operator = self.client(tokens.operator)

    def client(self, token: str | None) -> httpx2.Client:
        """Return a client that sends this token, closed with the application."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx2.Client(base_url=self.description.url, headers=headers, timeout=60)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            client.close()

    def submit(self, processor: str, data: Json) -> str:
        """Queue a task and return its id."""
        body = {"processor": processor, "input": data}
        response = self.machine.post("/process-offline", json=body)
        assert response.status_code == 202, response.text
        task_id: str = response.json()["task_id"]
        return task_id

    def finished(self, task_id: str, within_seconds: float = 60) -> Json:
        """Wait until a task is in a final state, and return it.

        Raises:
            AssertionError: it was in none in time; the note is the task as it was last seen.
        """
        task: Json = {}

        def final() -> Json | None:
            nonlocal task
            task = self.machine.get(f"/tasks/{task_id}").raise_for_status().json()
            return task if task["state"] in FINAL_STATES else None

        try:
            return eventually(final, within_seconds)
        except AssertionError as error:
            error.add_note(f"last seen: {task}")
            raise

    def failed(self, task_id: str) -> Json | None:
        """Return a failed task as operators see it on the list of those that wait. Or None."""
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self.operator.get("/dead-letters", params=query).raise_for_status().json()
            listed: Json | None = next(
                (letter for letter in page["letters"] if letter["task_id"] == task_id), None
            )
            if listed is not None or page["next_cursor"] is None:
                return listed
            query["cursor"] = page["next_cursor"]

    def redrive(self, *task_ids: str, dry_run: bool = False) -> list[Json]:
        """Have failed tasks done again, and return what became of each."""
        wanted = {"task_ids": task_ids, "dry_run": dry_run}
        answer = self.operator.post("/dead-letters/redrive", json=wanted).raise_for_status()
        redriven: list[Json] = answer.json()["letters"]
        return redriven

    def dead_letter(self, holding: str, within_seconds: float = 60) -> "MessageTypeDef":
        """Wait for a message with this text in its body in the dead-letter queue, and return it."""

        def arrived() -> "MessageTypeDef | None":
            # Hidden for a moment, so that each call shows others than the one before.
            while True:
                found = self.aws.sqs.receive_message(
                    QueueUrl=self.description.dead_letter_queue_url,
                    MaxNumberOfMessages=10,
                    VisibilityTimeout=2,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["All"],
                ).get("Messages", [])
                letter = next((message for message in found if holding in message["Body"]), None)
                if letter is not None or not found:
                    return letter

        return eventually(arrived, within_seconds)

    def invoke(self, function: str, event: Json) -> Json:
        """Invoke one of the functions (api, worker, report) with an event, and return its answer.

        Raises:
            AssertionError: the function raised.
        """
        answer = self.aws.functions.invoke(
            FunctionName=self.description.functions[function],
            Payload=json.dumps(event).encode(),
        )
        payload: Json = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def variables(self, function: str) -> dict[str, str]:
        """Return the environment variables of one of the functions."""
        name = self.description.functions[function]
        found = self.aws.functions.get_function_configuration(FunctionName=name)
        return found["Environment"]["Variables"]

    def configure(self, function: str, **more: str) -> None:
        """Give one of the functions more environment variables, or other values."""
        self.aws.functions.update_function_configuration(
            FunctionName=self.description.functions[function],
            Environment={"Variables": self.variables(function) | more},
        )

    def log_entries(self, function: str) -> list[Json]:
        """Return what a function has logged as JSON, its metrics among it, oldest first."""
        pages = self.aws.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.description.log_groups[function],
        )
        messages = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(message) for message in messages if message.startswith("{")]


def own_tokens(stack: StackDescription) -> Tokens:
    """Return tokens of the template's own user pool."""
    client_id, secret = stack.operator_client_id, stack.operator_client_secret
    return Tokens(stack.token, request_token(stack.token_url, client_id, secret).value)


@contextmanager
def deployed_app(
    folder: Path,
    parameters: Mapping[str, str] = TEST_PARAMETERS,
    processors: Sequence[Path] = EXTRA_PROCESSORS,
    tokens: Tokens | None = None,
    *,
    stack_port: int = 0,
    functions_endpoint_url: str = "",
    build_dir: Path = BUILD,
    settings: Mapping[str, str] | None = None,
) -> Iterator[DeployedApp]:
    """Build what changed, deploy it with more processors, and stop all of it after.

    Without tokens, the callers get theirs from the template's own user pool. The port, the
    endpoint, the build and the settings are those of `LocalStack`.
    """
    build(machine_architecture())
    with LocalStack(
        folder,
        build_dir=build_dir,
        extra_processors=processors,
        parameters=parameters,
        stack_port=stack_port,
        functions_endpoint_url=functions_endpoint_url,
        settings=settings,
    ) as stack:
        app = DeployedApp(stack, tokens or own_tokens(stack.description))
        try:
            yield app
        finally:
            app.close()


def eventually[Found](look: Callable[[], Found | None], within_seconds: float) -> Found:
    """Look again and again until there is something, and return it.

    Raises:
        AssertionError: there was nothing in time.
    """
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    message = f"{look.__qualname__}: nothing within {within_seconds} s"
    raise AssertionError(message)
