"""The settings of a deployed stack's processors: one secret, which several people may change."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import Environment
from tandem_tools.errors import ToolError
from tandem_tools.paths import COMMAND
from tandem_tools.settings.declared import CannotImport, declared

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

OUTPUT = "ProcessorSettingsName"
SECRET_BYTES = 65_536
"""The most that Secrets Manager keeps."""

TRIES = 5
LABEL = "tandem-"
"""What the label of a body that is not current yet begins with."""
CUT_SHORT = timedelta(hours=1)
"""From this age on, whoever put such a label is no more: a change takes seconds."""


type Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """The body of a secret, and which version of it that is."""

    body: Body
    version_id: str | None
    """None where the secret was never given a value."""


class SettingsSecret:
    """The secret of a stack."""

    def __init__(self, client: "SecretsManagerClient", secret: str) -> None:
        self._client = client
        self._secret = secret
        self.unsure = False
        """Whether a change is under way: who is cut short then does not know what became of it."""

    def read(self) -> Version:
        """Return what processors are given now.

        Raises:
            ToolError: it is no JSON object.
        """
        try:
            found = self._client.get_secret_value(SecretId=self._secret, VersionStage="AWSCURRENT")
        except self._client.exceptions.ResourceNotFoundException:
            return Version({}, None)
        try:
            body = json.loads(found.get("SecretString", "") or "{}")
        except (ValueError, RecursionError):
            body = None
        if "SecretBinary" in found:  # which a change would replace by an object of its own
            body = None
        if not isinstance(body, dict):
            raise ToolError(
                f"The secret {self._secret} holds no JSON object.",
                "Give it one in the console of Secrets Manager: {} has no settings.",
            )
        return Version(body, found["VersionId"])

    def change(self, update: Callable[[Body], Body]) -> None:
        """Change what processors are given. What others change meanwhile stays.

        The new body is put under a label of its own. Then AWSCURRENT moves to it from the version
        that was read, which Secrets Manager refuses when it has moved in between.

        Args:
            update: returns the new body from the one that is there. It is called again where
                another change came before this one.

        Raises:
            ToolError: the body is too large, or others changed it again and again.
        """
        before = self.read()
        self._clear()
        for _ in range(TRIES):
            body = update(dict(before.body))
            if body == before.body or self._put(body, before):
                return
            found = self.read()
            if found.version_id == before.version_id:
                raise ToolError(
                    f"Secrets Manager refused to change {self._secret}.",
                    "Look at its labels: aws secretsmanager list-secret-version-ids --secret-id …",
                )
            before = found
        raise ToolError(
            "Others changed the settings at the same time, again and again.",
            "Nothing was set. Try again.",
        )

    def _put(self, body: Body, before: Version) -> bool:
        """Put a body in the place of a version, and return whether that was still the current."""
        text = json.dumps(body, sort_keys=True)
        if len(text.encode()) > SECRET_BYTES:
            raise ToolError(
                f"The settings would have more than {SECRET_BYTES} bytes, which no secret has.",
                "Nothing was set. Keep files in a bucket, and their names here.",
            )
        label = f"{LABEL}{uuid4().hex}"
        self.unsure = before.version_id is None  # Secrets Manager makes that one current at once
        made = self._client.put_secret_value(
            SecretId=self._secret,
            ClientRequestToken=str(uuid4()),
            SecretString=text,
            VersionStages=[label],
        )
        version_id = made["VersionId"]
        try:
            # Secrets Manager gives the first version of a secret AWSCURRENT by itself.
            return "AWSCURRENT" in made["VersionStages"] or self._move(version_id, before)
        finally:
            self._take_off(label, version_id)

    def _clear(self) -> None:
        """Take off the labels of changes that were cut short: Secrets Manager never does."""
        until = datetime.now(UTC) - CUT_SHORT
        # Who may set need not be allowed to list versions: a later change by others clears them.
        with suppress(ClientError, BotoCoreError):
            listed = self._client.list_secret_version_ids(SecretId=self._secret)
            for version in listed["Versions"]:
                for label in version.get("VersionStages", []):
                    if label.startswith(LABEL) and version["CreatedDate"] < until:
                        self._take_off(label, version["VersionId"])

    def _take_off(self, label: str, version_id: str) -> None:
        with suppress(ClientError, BotoCoreError):  # one that stays does no harm
            self._client.update_secret_version_stage(
                SecretId=self._secret, VersionStage=label, RemoveFromVersionId=version_id
            )

    def _move(self, version_id: str, before: Version) -> bool:
        removed: Any = {"RemoveFromVersionId": before.version_id} if before.version_id else {}
        self.unsure = True
        try:
            self._client.update_secret_version_stage(
                SecretId=self._secret,
                VersionStage="AWSCURRENT",
                MoveToVersionId=version_id,
                **removed,
            )
        except self._client.exceptions.InvalidParameterException:
            self.unsure = False
            return False
        return True


def secret_of(account: Account, environment: Environment) -> SettingsSecret:
    """Return the secret of an environment's stack.

    Raises:
        ToolError: there is no such stack, or it is of a version that had no such secret.
    """
    name = account.outputs(environment.stack_name).get(OUTPUT)
    if name is None:
        raise ToolError(
            f"{environment.stack_name} has no secret for settings.",
            f"Deploy it: make deploy ENV={environment.name}",
        )
    return SettingsSecret(account.secrets_manager, name)


def require_settings(account: Account, environment: Environment) -> None:
    """Refuse to deploy processors whose settings the stack has not. It costs nothing without any.

    Raises:
        ToolError: a setting is missing or wrong.
    """
    try:
        wanted = declared({})
    except CannotImport as error:
        print(f"Settings are not checked. {error.problem}")
        return
    if not wanted.names:
        return
    stack = account.stack(environment.stack_name)
    outputs = {output["OutputKey"] for output in stack.get("Outputs", [])} if stack else set()
    if OUTPUT not in outputs:
        for line in (
            "The stack's secret is made now. Until it has these settings,",
            *wanted.lines(),
        ):
            print(line)
        return
    try:
        version = secret_of(account, environment).read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        print("Settings are not checked: who deploys may not read the stack's secret.")
        return
    refuse(declared(version.body).lines(), environment)


def refuse(lines: list[str], environment: Environment) -> None:
    """Raise a ToolError if there are lines of what is missing or wrong."""
    if lines:
        raise ToolError(
            "\n".join([f"Settings of {environment.stack_name} are missing or wrong:", *lines]),
            f"Set them: {COMMAND} settings set NAME --env {environment.name}",
        )
