"""What a job on GitHub deploys with: the roles of .github/deploy-role.yaml, taken for real."""

from functools import partial

import boto3
import pytest
from botocore.exceptions import ClientError

from tandem_tools.deploy.alarms import require_quiet
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.changes import ROLE_VARIABLE
from tandem_tools.deploy.cli import main
from tandem_tools.paths import PROJECT
from tandem_tools.template import load_template
from tests.factories.published import publish, versions_of
from tests.stack.deployments import parameters
from tests.stack.issuer import unsigned_token

PROVIDER = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"


def make_roles(environment: str) -> dict[str, str]:
    """Make an environment's roles as docs/deploy.md says, and return the ARNs of both."""
    cloudformation = boto3.client("cloudformation")
    name = f"tandem-deploys-{environment}"
    given = {
        "Repository": "you/tandem",
        "Environment": environment,
        "ProviderArn": PROVIDER,
    }
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(PROJECT / ".github" / "deploy-role.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 1})
    return Account().outputs(name)


def token(environment: str) -> str:
    """Return a token as GitHub gives a job in an environment; the emulator checks no signature."""
    claims = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "sts.amazonaws.com",
        "sub": f"repo:you/tandem:environment:{environment}",
    }
    return unsigned_token(claims)


def credentials(role_arn: str, environment: str) -> dict[str, str]:
    """Return the environment of a job that has exchanged its token."""
    found = boto3.client("sts").assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName="job", WebIdentityToken=token(environment)
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
    }


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_a_job_deploys_in_its_role_and_cannot_write_another_environments_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    roles = make_roles("dev")
    assert main(["deploy", "dev", "--parameters", parameters(), "--yes"]) == 0, capfd.readouterr()
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    [bucket] = [one["Name"] for one in buckets if "sam-cli-managed" in one["Name"]]
    Account().s3.delete_bucket_policy(Bucket=bucket)  # it refuses calls without TLS
    Account().s3.put_object(Bucket=bucket, Key="tandem-prod/code", Body=b"of production")
    function = Account().outputs("tandem-dev")["WorkerFunctionName"]
    publish(function, 5)

    role = roles["DeployRoleArn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        credentials(role, "staging")
    for name, value in credentials(role, "dev").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it has read
    monkeypatch.setenv(ROLE_VARIABLE, roles["CloudFormationRoleArn"])
    again = parameters(LogLevel="DEBUG")
    assert main(["deploy", "dev", "--parameters", again, "--yes"]) == 0, capfd.readouterr()
    # The emulator publishes no version for a revision: `live` is still on the first.
    assert versions_of(function) == ["$LATEST", "1", "4", "5", "6"]
    require_quiet(Account(), "tandem-dev", load_template())  # Direct does not ask
    s3, cloudformation = Account().s3, Account().cloudformation
    for refused in (
        partial(s3.put_object, Bucket=bucket, Key="tandem-prod/code", Body=b"of a job"),
        partial(s3.get_object, Bucket=bucket, Key="tandem-prod/code"),
        partial(s3.list_objects_v2, Bucket=bucket, Prefix="tandem-prod/"),
        partial(cloudformation.describe_stacks, StackName="tandem-prod"),
        partial(cloudformation.delete_stack, StackName="tandem-dev"),
        partial(Account().functions.delete_function, FunctionName=function),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
