"""What the roles of a deployment from GitHub may do, and what they need."""

from functools import cache

import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tandem_tools.paths import PROJECT
from tandem_tools.template import Node, load_template
from tests.factories.transformed import transformed

ROLES: Node = load_template(PROJECT / ".github" / "deploy-role.yaml")["Resources"]

# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/PowerUserAccess.html, version 12
POWER_USER_KEEPS = ("iam:", "organizations:", "account:")
POWER_USER_HAS = {
    "account:GetAccountInformation",
    "account:GetGovCloudAccountInformation",
    "account:GetPrimaryEmail",
    "account:ListRegions",
    "iam:CreateServiceLinkedRole",
    "iam:DeleteServiceLinkedRole",
    "iam:ListRoles",
    "organizations:DescribeEffectivePolicy",
    "organizations:DescribeOrganization",
}

NOT_ASKED = {
    **dict.fromkeys(
        [
            f"iam:{verb}{owner}Policy"
            for verb in ("Get", "Put", "Delete")
            for owner in ("User", "Group")
        ],
        "a policy of the template belongs to a role",
    ),
    **dict.fromkeys(
        ["iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"],
        "no role of the template has a boundary",
    ),
}
"""What a schema lists for a property that the template does not use, and why not."""


@cache
def deployed() -> list[Node]:
    """What SAM makes of the template, with each part that can be asked for."""
    return transformed(
        {"DeploymentType": "Canary10Percent5Minutes", "SnapStart": "true"},
        {"ApiProvisionedConcurrency": "2", "JwtIssuer": "https://example.com", "JwtAudience": "a"},
        {"ReportEmail": "a@example.com", "ReportWebhookUrl": "https://example.com"},
    )


def asked_by(kind: str) -> set[str]:
    """Return what CloudFormation's handlers of a resource type may call, by its schema."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
    return {
        action
        for operation in ("create", "read", "update", "delete")
        for action in handlers.get(operation, {}).get("permissions", ())
    }


def test_cloudformation_may_do_to_roles_what_its_resource_types_ask_for() -> None:
    role = ROLES["CloudFormationRole"]["Properties"]
    [managed] = role["ManagedPolicyArns"]
    assert managed == {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess"}
    [statement] = role["Policies"][0]["PolicyDocument"]["Statement"]
    kinds = {one["Type"] for made in deployed() for one in made["Resources"].values()}
    assert {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::CodeDeploy::DeploymentGroup"} <= kinds
    needed = {
        action for kind in kinds for action in asked_by(kind) if action.startswith(POWER_USER_KEEPS)
    }
    assert needed >= NOT_ASKED.keys()
    missing = needed - POWER_USER_HAS - NOT_ASKED.keys() - {*statement["Action"]}
    assert missing == set()


def test_what_is_not_asked_of_iam_is_not_in_the_template() -> None:
    resources = [one for made in deployed() for one in made["Resources"].values()]
    policies = [one["Properties"] for one in resources if one["Type"] == "AWS::IAM::Policy"]
    assert policies
    assert all("Users" not in one and "Groups" not in one for one in policies)
    roles = [one["Properties"] for one in resources if one["Type"] == "AWS::IAM::Role"]
    assert all("PermissionsBoundary" not in one for one in roles)


def test_a_jobs_credentials_live_as_long_as_the_job() -> None:
    jobs = yaml.safe_load((PROJECT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    seconds = {
        name: (job["timeout-minutes"] * 60, step["with"]["role-duration-seconds"])
        for name, job in jobs.items()
        for step in job["steps"]
        if "role-to-assume" in step.get("with", {})
    }
    assert seconds.keys() == {"staging", "prod"}
    longest = ROLES["DeployRole"]["Properties"]["MaxSessionDuration"]
    for job, credentials in seconds.values():
        assert job <= credentials <= longest
