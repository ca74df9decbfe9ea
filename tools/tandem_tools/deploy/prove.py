"""`make prove-on-aws`: deploy, show what never ran on AWS, delete, and report what came out."""

import json
import shlex
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.deploy import changes
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.costs import OFFLINE, PRICES, at_rest
from tandem_tools.deploy.deploy import deploy
from tandem_tools.deploy.destroy import delete
from tandem_tools.deploy.environments import PROVING, Environment
from tandem_tools.deploy.parameters import pairs
from tandem_tools.deploy.proofs import STAGES, NotHeldError, NotHereError, Proof, Proving, Stage
from tandem_tools.errors import ToolError
from tandem_tools.errors import ask as asked
from tandem_tools.paths import PROJECT

REPORTS = PROJECT / ".local"
HOURS = 1.0
"""How long all of it takes, at the most, when nothing fails."""
REQUESTS, TASKS = 700, 70
"""What the proofs ask for, about."""

Outcome = Literal["held", "failed", "not run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What came out of one proof."""

    mechanism: str
    expected: str
    outcome: Outcome
    seen: str
    seconds: float


@dataclass(slots=True, kw_only=True)
class Report:
    """What one run has shown, and cost."""

    account: str
    started_at: datetime
    shown: list[Shown] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    tasks: int = 0
    ended_at: datetime | None = None
    undeployed: list[str] = field(default_factory=list)
    """Stages whose deployment failed: nothing of them was shown."""
    left: list[str] = field(default_factory=list)
    """What could not be deleted, and why."""

    @property
    def dollars(self) -> float:
        """What it cost, reckoned."""
        ended = self.ended_at or datetime.now(UTC)
        hours = (ended - self.started_at).total_seconds() / 3600
        return dollars(self.requests, self.tasks, hours)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        # asdict() would make a Counter of pairs of a Counter.
        calls, dollars = dict(self.calls), round(self.dollars, 4)
        return asdict(replace(self, calls=Counter())) | {"calls": calls, "dollars": dollars}

    def page(self) -> str:
        """Return it as Markdown."""
        lines = [
            f"# Proofs of {self.started_at:%Y-%m-%d %H:%M} UTC, {self.account}",
            "",
            f"{self.requests} requests, {self.tasks} tasks, {self.calls.total()} calls of AWS.",
            "",
            f"About {self.dollars:.2f} dollars.",
            "",
            "| mechanism | must come out | outcome | came out | seconds |",
            "| --- | --- | --- | --- | ---: |",
        ]
        lines += [
            f"| {proof.mechanism} | {proof.expected} | **{proof.outcome}** | {_cell(proof.seen)} | "
            f"{proof.seconds:.0f} |"
            for proof in self.shown
        ]
        lines += ["", *(f"- Left: {resource}" for resource in self.left)]
        return "\n".join(lines) + "\n"


def dollars(requests: int, tasks: int, hours: float) -> float:
    """Return what so many requests and tasks cost, and a stack that stands so long.

    What a stack costs at rest is charged by the hour, and a dashboard by the month.
    """
    resting = sum(share.dollars for share in at_rest()) / 720 * hours
    gateway = requests / 1e6 * (PRICES["gateway"].dollars + PRICES["invocation"].dollars)
    return resting + gateway + tasks / 1e6 * OFFLINE.total


def prove(parameters: str, *, ask: bool = True) -> None:
    """Prove what never ran on AWS in a stack of its own, delete that, and write the report.

    Args:
        parameters: more of the template's for every deployment, `Name=value` with blanks between.
        ask: say what it costs, and wait for a yes.

    Raises:
        ToolError: it was refused, or a proof did not hold.
    """
    account = Account()
    environment = Environment.read(PROVING)
    for stage in STAGES:  # refuse what no deployment would take
        environment.parameters(pairs(_said(stage, parameters)))
    print(f"{environment.stack_name}: {account.identity()}")
    if account.stack(environment.stack_name) is not None:
        raise ToolError(
            f"There is a stack {environment.stack_name} already: a run that was cut short left it.",
            f"Delete it first: make destroy ENV={PROVING}",
        )
    print(
        f"This deploys, looks and deletes again, in up to {HOURS:g} hour: about "
        f"{dollars(REQUESTS, TASKS, HOURS):.2f} dollars."
    )
    if ask and asked("Go on? [y/N] ").lower() not in {"y", "yes"}:
        raise ToolError("Nothing was made.", "Say y, or YES=1.")
    report = Report(account=account.identity(), started_at=datetime.now(UTC))
    try:
        with _counted(report.calls):
            _run(account, environment, parameters, report)
    except BaseException as error:
        _tell(report, write(report))
        if report.left:
            raise _not_deleted(report) from error
        if isinstance(error, KeyboardInterrupt):
            # Without what was said of a deployment that was cut short: it is deleted.
            raise KeyboardInterrupt from None
        raise
    path = write(report)
    _tell(report, path)
    if failed := [proof.mechanism for proof in report.shown if proof.outcome == "failed"]:
        raise ToolError(f"Not as it must be: {', '.join(failed)}.", f"Read {path}.")
    if report.left:
        raise _not_deleted(report)
    if report.undeployed:
        raise ToolError(f"Not deployed: {'; '.join(report.undeployed)}.", f"Read {path}.")


def _run(account: Account, environment: Environment, parameters: str, report: Report) -> None:
    """Show all stages, and delete the stack whatever comes in between."""
    try:
        for stage in STAGES:
            _stage(stage, parameters, report)
    finally:
        report.left = [f"{environment.stack_name}: its deletion was cut short"]
        report.left = remove(account, environment)
        report.ended_at = datetime.now(UTC)


def _tell(report: Report, path: Path) -> None:
    print(f"\n{report.page()}\nThe report is {path}.")


def _not_deleted(report: Report) -> ToolError:
    return ToolError(
        f"Not deleted: {'; '.join(report.left)}.",
        f"Delete it by hand; a stack that stands: make destroy ENV={PROVING}",
    )


def _said(stage: Stage, parameters: str) -> str:
    """Return the parameters of a stage's deployment as one text."""
    values = {**stage.parameters, **pairs(parameters)}
    return shlex.join(f"{name}={value}" for name, value in values.items())


def _stage(stage: Stage, parameters: str, report: Report) -> None:
    """Deploy for a stage and show its proofs. One that fails stops no other."""
    print(f"\n{stage.what} …", flush=True)
    try:
        deploy(PROVING, _said(stage, parameters), ask=False)
    except (ToolError, ClientError, BotoCoreError) as error:
        reason = f"the deployment failed: {error}"
        report.shown += [_shown(proof, "not run", reason, 0) for proof in stage.proofs]
        report.undeployed.append(stage.what)
        return
    stack = Proving(Account(), Environment.read(PROVING).stack_name)
    try:
        for proof in stage.proofs:
            shown = show(proof, stack)
            print(f"{shown.mechanism}: {shown.outcome}: {shown.seen}", flush=True)
            report.shown.append(shown)
    finally:
        report.requests += stack.requests
        report.tasks += stack.tasks


def show(proof: Proof, stack: Proving) -> Shown:
    """Return what comes out of a proof, whatever it raises."""
    begun = datetime.now(UTC)

    def ended(outcome: Outcome, seen: str) -> Shown:
        return _shown(proof, outcome, seen, (datetime.now(UTC) - begun).total_seconds())

    try:
        return ended("held", proof.show(stack))
    except NotHereError as error:
        return ended("not run", str(error))
    except NotHeldError as error:
        return ended("failed", str(error))
    except Exception as error:  # noqa: BLE001 - a proof that breaks off stops no other
        return ended("failed", f"{type(error).__name__}: {error}")


def _shown(proof: Proof, outcome: Outcome, seen: str, seconds: float) -> Shown:
    return Shown(
        mechanism=proof.mechanism,
        expected=proof.expected,
        outcome=outcome,
        seen=seen,
        seconds=seconds,
    )


def remove(account: Account, environment: Environment) -> list[str]:
    """Delete the stack with its data, and return what of it could not be deleted, and why."""
    try:
        if account.stack(environment.stack_name) is None:
            return []
        _settle(account, environment)
        kept = delete(account, environment)
    except (ToolError, ClientError, BotoCoreError) as error:
        return [f"{environment.stack_name}: {error}"]
    left = []
    for name, (kind, physical_id) in kept.items():
        try:
            _remove(kind, physical_id)
        except (ClientError, BotoCoreError) as error:
            left.append(f"{name} ({physical_id}): {error}")
    return left


def _settle(account: Account, environment: Environment) -> None:
    """Wait until nothing else is done to the stack: it could not be deleted."""
    name = environment.stack_name
    if account.need_stack(name)["StackStatus"] == "UPDATE_IN_PROGRESS":
        with suppress(ClientError):  # it has ended meanwhile, or cannot be
            account.cloudformation.cancel_update_stack(StackName=name)
    while (status := account.need_stack(name)["StackStatus"]).endswith("_IN_PROGRESS"):
        if status in {"DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"}:
            return
        print(f"{name} is in {status}: waiting for its end …", flush=True)
        time.sleep(changes.POLL_SECONDS)


def _remove(kind: str, physical_id: str) -> None:
    """Delete for good what outlives a stack."""
    match kind:
        case "AWS::DynamoDB::Table":
            boto3.client("dynamodb").delete_table(TableName=physical_id)
        case "AWS::S3::Bucket":
            bucket = boto3.resource("s3").Bucket(physical_id)
            bucket.object_versions.delete()
            bucket.objects.delete()
            bucket.delete()
        case "AWS::SecretsManager::Secret":
            boto3.client("secretsmanager").delete_secret(
                SecretId=physical_id, ForceDeleteWithoutRecovery=True
            )
        case "AWS::Cognito::UserPool":
            boto3.client("cognito-idp").delete_user_pool(UserPoolId=physical_id)


def write(report: Report) -> Path:
    """Write a report as Markdown and as JSON, and return the former's path."""
    REPORTS.mkdir(exist_ok=True)
    page = REPORTS / f"proof-{report.started_at:%Y%m%d-%H%M%S}.md"
    page.write_text(report.page())
    document = json.dumps(report.document(), indent=2, default=str)
    page.with_suffix(".json").write_text(document + "\n")
    return page


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


@contextmanager
def _counted(calls: Counter[str]) -> Iterator[None]:
    """Count every call that a client made within the block makes."""
    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    session.events.register(
        "before-call",
        lambda model, **_: calls.update([f"{model.service_model.service_name}:{model.name}"]),
    )
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = None
