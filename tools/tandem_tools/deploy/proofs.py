"""The proofs of docs/never-ran-on-aws.md: one for each mechanism."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx2

from tandem_tools.deploy.aws import Account, api_url
from tandem_tools.run.tokens import request_token

_PATIENCE_SECONDS = 300
_LOOK_SECONDS = 5

type Json = dict[str, Any]


class NotHeldError(Exception):
    """What came out is not what must come out. The message says what did."""


class NotHereError(Exception):
    """Where the stack is, this cannot be shown. The message says why."""


class Proving:
    """A deployed stack that is looked at, and what looking at it has cost."""

    def __init__(self, account: Account, stack_name: str) -> None:
        self.account = account
        self.stack_name = stack_name
        self.requests = 0
        self.tasks = 0
        self.emulated = "AWS_ENDPOINT_URL" in _environment()

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        return self.account.outputs(self.stack_name)

    @property
    def url(self) -> str:
        """Where its API answers."""
        return api_url(self.outputs)

    @cached_property
    def _tokens(self) -> dict[str, str]:
        return {}

    def token(self, client: str) -> str:
        """Return a token of one of the stack's clients, `MachineClientId` or `OperatorClientId`."""
        if client not in self._tokens:
            pool, client_id = self.outputs["UserPoolId"], self.outputs[client]
            found = boto3.client("cognito-idp").describe_user_pool_client(
                UserPoolId=pool, ClientId=client_id
            )
            secret = found["UserPoolClient"]["ClientSecret"]
            endpoint = _environment().get("AWS_ENDPOINT_URL")
            url = f"{endpoint}/oauth2/token" if endpoint else self.outputs["TokenUrl"]
            self._tokens[client] = request_token(url, client_id, secret).value
        return self._tokens[client]

    def ask(
        self, method: str, path: str, body: Any = None, *, client: str = "MachineClientId"
    ) -> httpx2.Response:
        """Return the answer to a request with a client's token. The empty client has none."""
        self.requests += 1
        headers = {"Authorization": f"Bearer {self.token(client)}"} if client else {}
        return httpx2.request(method, self.url + path, json=body, headers=headers, timeout=60)

    def submit(self, processor: str, given: Json, *, client: str = "MachineClientId") -> str:
        """Submit an offline task and return its id."""
        self.tasks += 1
        body = {"processor": processor, "input": given}
        answer = self.ask("POST", "/process-offline", body, client=client).raise_for_status()
        task_id: str = answer.json()["task_id"]
        return task_id

    def ended(self, task_id: str, *, client: str = "MachineClientId") -> Json:
        """Wait until a task has ended, and return it."""

        def look() -> Json | None:
            task: Json = self.ask("GET", f"/tasks/{task_id}", client=client).json()
            return task if task["state"] in {"succeeded", "failed", "cancelled"} else None

        return self.wait(look, f"task {task_id} did not end")

    def wait[T](self, look: Callable[[], T | None], otherwise: str) -> T:
        """Return what is seen as soon as it is.

        Raises:
            NotHeldError: it was not seen in five minutes.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while (found := look()) is None:
            if time.monotonic() > until:
                raise NotHeldError(otherwise)
            time.sleep(_LOOK_SECONDS)
        return found

    def only_on_aws(self, why: str) -> None:
        """Raise NotHereError in an emulator."""
        if self.emulated:
            raise NotHereError(why)


def _environment() -> Mapping[str, str]:
    import os

    return os.environ


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One mechanism, and how it is shown."""

    mechanism: str
    """As the page and the marks in the code name it."""
    expected: str
    show: Callable[[Proving], str]
    """Returns what came out. Raises NotHeldError where that is not what must."""


def signed_urls(stack: Proving) -> str:
    """Send a file to a signed form, and ask the API what it has of it."""
    content = b"a,b\n1,2\n"
    asked = {"filename": "t.csv", "content_type": "text/csv", "size": len(content)}
    form = stack.ask("POST", "/uploads", asked).raise_for_status().json()
    sent = httpx2.post(form["url"], data=form["fields"], files={"file": ("t.csv", content)})
    if sent.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        message = f"the store answered {sent.status_code}: {sent.text[:200]}"
        raise NotHeldError(message)
    kept = stack.ask("GET", f"/uploads/{form['upload_id']}").raise_for_status().json()
    host = urlsplit(form["url"]).hostname or ""
    region = stack.account.cloudformation.meta.region_name
    if not stack.emulated and not host.endswith(f".s3.{region}.amazonaws.com"):
        message = f"the form is at {host}"
        raise NotHeldError(message)
    if kept["size"] != len(content):
        message = f"the bucket has {kept['size']} bytes of {len(content)}"
        raise NotHeldError(message)
    return f"{host} took the file ({sent.status_code}), and the API finds it whole"


def authenticate_header(stack: Proving) -> str:
    """Ask without a token."""
    stack.only_on_aws("the emulator's authorizer sends no such header")
    answer = stack.ask("GET", "/tasks", client="")
    named = [name for name in answer.headers if name.lower().endswith("www-authenticate")]
    if answer.status_code != HTTPStatus.UNAUTHORIZED or not named:
        message = f"{answer.status_code}, with {sorted(answer.headers)}"
        raise NotHeldError(message)
    return f"401 with {named[0]}: {answer.headers[named[0]]}"


def architecture(stack: Proving) -> str:
    """Run a task in the worker, and ask which processor that has."""
    name = stack.outputs["WorkerFunctionName"]
    found = stack.account.functions.get_function_configuration(FunctionName=name)
    said = found.get("Architectures", ["x86_64"])
    if said != ["arm64"]:
        message = f"the worker is deployed for {', '.join(said)}"
        raise NotHereError(message)
    listed = stack.ask("GET", "/processors").raise_for_status().json()["processors"]
    names = {processor["name"] for processor in listed}
    compiled = ("summarize-table", {"rows": [{"a": 1}, {"a": 2}]})
    task = stack.ended(
        stack.submit(*compiled if compiled[0] in names else ("echo", {"message": "arm64"}))
    )
    if task["state"] != "succeeded":
        message = f"the task ended so: {task['error']}"
        raise NotHeldError(message)
    return f"an arm64 worker ran {task['processor']}, in the wheels for arm64"


def fairness(stack: Proving) -> str:
    """Let one tenant flood the queue, and see how long another's task waits."""
    stack.only_on_aws("the emulator's queue gives messages in their order, whosever they are")
    slow = {"blocks": 64, "block_mb": 16}
    flood = [stack.submit("hash-blocks", slow) for _ in range(60)]
    quiet = stack.submit("echo", {"message": "quiet"}, client="OperatorClientId")
    waited = _wait_seconds(stack.ended(quiet, client="OperatorClientId"))
    flooded = [_wait_seconds(stack.ended(task_id)) for task_id in flood]
    came = f"the quiet tenant's task waited {waited:.1f} s, the flood's {median(flooded):.1f} s"
    if waited > median(flooded) / 2:
        raise NotHeldError(came)
    return came


def _wait_seconds(task: Json) -> float:
    from datetime import datetime

    begun = task.get("started_at") or task["finished_at"]
    return (
        datetime.fromisoformat(begun) - datetime.fromisoformat(task["created_at"])
    ).total_seconds()


def alarms(stack: Proving) -> str:
    """Put a message into the queue of dead letters, and wait for its alarm."""
    stack.only_on_aws("the emulator evaluates no alarm")
    queue = stack.outputs["DeadLetterQueueUrl"]
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="a proof", MessageGroupId="proof")
    name = stack.account.physical_ids(stack.stack_name)["DeadLettersAlarm"]

    def look() -> str | None:
        [alarm] = stack.account.alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateReason"]) if alarm["StateValue"] == "ALARM" else None

    try:
        return stack.wait(look, "the alarm did not go on in five minutes")
    finally:
        sqs.purge_queue(QueueUrl=queue)


def throttling(stack: Proving) -> str:
    """Ask more often than the stage lets through."""
    stack.only_on_aws("the emulator throttles nobody")
    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda _: stack.ask("GET", "/health", client=""), range(200)))
    refused = [status for status in statuses if status.status_code == HTTPStatus.TOO_MANY_REQUESTS]
    if not refused:
        message = "none of 200 requests at once was refused"
        raise NotHeldError(message)
    return f"{len(refused)} of 200 requests at once were answered 429: {refused[0].text[:80]}"


def log_filter(stack: Proving) -> str:
    """Look whether metrics come through where only errors are logged."""
    stack.only_on_aws("the emulator makes no metrics of logs")
    since = time.time() - 600

    def look() -> str | None:
        found = stack.account.alarms.get_metric_statistics(
            Namespace=f"Tandem/{stack.stack_name}",
            MetricName="WindowsClosed",
            Dimensions=[{"Name": "service", "Value": "report"}],
            StartTime=since,
            EndTime=time.time(),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return f"{len(found)} windows closed in ten minutes" if found else None

    return stack.wait(look, "no metric of a closed window came with LogLevel=ERROR")


def snapstart(stack: Proving) -> str:
    """Invoke the API's alias until a start from a snapshot is in its log."""
    stack.only_on_aws("the emulator takes no snapshots")
    name = stack.outputs["ApiFunctionName"]

    def look() -> str | None:
        stack.ask("GET", "/health", client="")
        found = boto3.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern='"restore"', limit=50
        )["events"]
        restored = [item["message"] for item in found if "estore" in item["message"]]
        return restored[0].strip()[:300] if restored else None

    return stack.wait(look, "no line of a restore came")


def canary(stack: Proving) -> str:
    """Look whether CodeDeploy tried the release before it gave it traffic."""
    stack.only_on_aws("the emulator has no CodeDeploy")
    codedeploy = boto3.client("codedeploy")
    applications = [
        name
        for name in codedeploy.list_applications()["applications"]
        if name.startswith(stack.stack_name)
    ]
    for application in applications:
        for group in codedeploy.list_deployment_groups(applicationName=application)[
            "deploymentGroups"
        ]:
            made = codedeploy.list_deployments(
                applicationName=application, deploymentGroupName=group
            )["deployments"]
            for deployment_id in made:
                targets = codedeploy.list_deployment_targets(deploymentId=deployment_id)
                for target in targets["targetIds"]:
                    found = codedeploy.get_deployment_target(
                        deploymentId=deployment_id, targetId=target
                    )
                    events = found["deploymentTarget"]["lambdaTarget"]["lifecycleEvents"]
                    states = {event["lifecycleEventName"]: event["status"] for event in events}
                    if states.get("BeforeAllowTraffic") == "Succeeded":
                        return json.dumps(states)
    message = f"no deployment of {applications or 'any application'} was tried by the canary"
    raise NotHeldError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One deployment, and what is shown with it."""

    what: str
    parameters: Mapping[str, str]
    proofs: tuple[Proof, ...]


STAGES = (
    Stage(
        what="the first deployment",
        parameters={},
        proofs=(
            Proof(
                mechanism="signed URLs",
                expected="a form at the bucket's own host in its region takes the file",
                show=signed_urls,
            ),
            Proof(
                mechanism="WWW-Authenticate",
                expected="401 with the header, or as API Gateway renames it",
                show=authenticate_header,
            ),
            Proof(
                mechanism="arm64 at run time",
                expected="a task that needs DuckDB succeeds on arm64",
                show=architecture,
            ),
            Proof(
                mechanism="the queue's fairness",
                expected="a quiet tenant's task waits less than half as long as a flood's",
                show=fairness,
            ),
        ),
    ),
    Stage(
        what="a release that is tried, with few requests let through and errors alone logged",
        parameters={
            "DeploymentType": "AllAtOnce",
            "LogLevel": "ERROR",
            "ThrottleRequestsPerSecond": "5",
            "ThrottleBurst": "5",
        },
        proofs=(
            Proof(
                mechanism="the canary",
                expected="CodeDeploy's BeforeAllowTraffic succeeded",
                show=canary,
            ),
            Proof(
                mechanism="throttling",
                expected="some of 200 requests at once are answered 429",
                show=throttling,
            ),
            Proof(
                mechanism="the platform's log filter",
                expected="metrics of reports come through with LogLevel=ERROR",
                show=log_filter,
            ),
        ),
    ),
    Stage(
        what="SnapStart, and last an alarm, which would hold up a release",
        parameters={"SnapStart": "true", "ApiStorageMb": "512"},
        proofs=(
            Proof(
                mechanism="SnapStart",
                expected="the API's log has a start from a snapshot",
                show=snapstart,
            ),
            Proof(
                mechanism="alarms",
                expected="a dead letter turns DeadLettersAlarm on",
                show=alarms,
            ),
        ),
    ),
)
