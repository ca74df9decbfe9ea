"""What the functions' roles allow, and a role with one of its permissions taken away."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boto3

from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.harness.resources import Resources

type Document = dict[str, Any]


class Permission(NamedTuple):
    """One action on one resource that a role allows."""

    role: str
    """The template's name of it."""
    action: str
    resource: str
    """As the ARN ends, with the template's names: `table/TaskTable/index/by_owner`."""

    def __str__(self) -> str:
        return f"{self.role} {self.action} {self.resource}"


class Roles:
    """The template's roles as CloudFormation made them."""

    def __init__(self, resources: Resources) -> None:
        self._iam = _client("iam", resources.aws.endpoint_url)
        self._sts = _client("sts", resources.aws.endpoint_url)
        made = resources.physical_ids()
        # The longest first: a name may be the start of another.
        self._names = sorted(
            ((_own_name(physical), logical) for logical, physical in made.items()),
            key=lambda pair: len(pair[0]),
            reverse=True,
        )
        self._roles = {name: made[name] for name in made if name.endswith("Role")}
        self._policies = [
            (role, policy, self._document(role, policy))
            for role, name in self._roles.items()
            for policy in self._iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]

    def permissions(self) -> list[Permission]:
        """Return all that the roles allow."""
        return [
            Permission(role, action, self._short(arn))
            for role, _, document in self._policies
            for statement in document["Statement"]
            for action in _listed(statement["Action"])
            for arn in _listed(statement["Resource"])
        ]

    @contextmanager
    def without(self, permission: Permission) -> Iterator[None]:
        """Take one permission from its role, for as long as the `with` block runs."""
        for role, policy, whole in self._policies:
            less = [
                part
                for statement in whole["Statement"]
                for part in self._without(statement, permission)
            ]
            if role == permission.role and less != whole["Statement"]:
                self._write(role, policy, whole | {"Statement": less})
        try:
            yield
        finally:
            for role, policy, whole in self._policies:
                if role == permission.role:
                    self._write(role, policy, whole)

    def credentials(self, role: str) -> dict[str, str]:
        """Return the environment of a function in this role, as Lambda sets it.

        The template's roles trust Lambda alone; the emulator lets the account's root assume any.
        """
        arn = self._iam.get_role(RoleName=self._roles[role])["Role"]["Arn"]
        found = self._sts.assume_role(RoleArn=arn, RoleSessionName="tests")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
        }

    def _document(self, role: str, policy: str) -> Document:
        found = self._iam.get_role_policy(RoleName=self._roles[role], PolicyName=policy)
        document: Document = found["PolicyDocument"]
        return document

    def _write(self, role: str, policy: str, document: Document) -> None:
        names = {"RoleName": self._roles[role], "PolicyName": policy}
        if document["Statement"]:
            self._iam.put_role_policy(**names, PolicyDocument=json.dumps(document))
        else:
            self._iam.delete_role_policy(**names)

    def _without(self, statement: Document, taken: Permission) -> list[Document]:
        """Return what is left of a statement: its other actions, and this one elsewhere."""
        actions, arns = _listed(statement["Action"]), _listed(statement["Resource"])
        others = [action for action in actions if action != taken.action]
        elsewhere = [arn for arn in arns if self._short(arn) != taken.resource]
        if others == actions or elsewhere == arns:
            return [statement]
        kept = [(others, arns), ([taken.action], elsewhere)]
        return [statement | {"Action": a, "Resource": r} for a, r in kept if a and r]

    def _short(self, arn: str) -> str:
        short = re.sub(r"(secret:.+)-\w{6}$", r"\1", arn.split(":", 5)[-1])
        for name, logical in self._names:
            if name in short:
                return short.replace(name, logical)
        return short


def _client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )


def _own_name(physical_id: str) -> str:
    """Return the part of a physical id that its ARN ends with: it may be an ARN, or a URL."""
    if physical_id.startswith(("arn:", "http")):
        return physical_id.rpartition("/" if "/" in physical_id else ":")[2].rpartition(":")[2]
    return physical_id


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value
