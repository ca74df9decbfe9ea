"""What each environment deploys, and what make deploy and destroy refuse."""

import os
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tandem_tools.deploy import deploy as deploying
from tandem_tools.deploy import destroy as destroying
from tandem_tools.deploy import environments
from tandem_tools.deploy.cli import main
from tandem_tools.deploy.environments import NAMES, Environment
from tandem_tools.deploy.parameters import pairs
from tandem_tools.errors import ToolError
from tandem_tools.template import load_template

MAIL = {"AlarmEmail": "ops@example.com"}
PARAMETERS: dict[str, Any] = load_template()["Parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_an_environment_says_values_that_the_template_takes(name: str) -> None:
    environment = Environment.read(name)
    values = environment.parameters(MAIL)
    assert values.keys() == PARAMETERS.keys() - {"Revision"}
    assert values["Environment"] == name
    assert environment.stack_name == f"tandem-{name}"
    assert {"Environment", "LogRetentionDays", "DeploymentType"} <= environment.overrides.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_release_is_tried_before_it_gets_traffic(name: str) -> None:
    assert Environment.read(name).parameters(MAIL)["DeploymentType"] != "Direct"


def test_staging_and_production_move_traffic_step_by_step() -> None:
    kinds = [Environment.read(name).overrides["DeploymentType"] for name in ("staging", "prod")]
    assert all(kind.startswith("Canary10Percent") for kind in kinds)


NO_NUMBERS = (
    "many",
    "",
    " 5",
    "5 ",
    "1_0",
    "1e1",
    "nan",
    "inf",
    "+5",
    "0x5",
    "\N{ARABIC-INDIC DIGIT FIVE}",
)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("LogLevl=DEBUG", "no such parameter"),
        ("LogLevel=LOUD", "must be one of DEBUG, INFO"),
        ("LogLevl=DEBUG", "Perhaps LogLevel?"),
        ("loglevel=DEBUG", "Perhaps LogLevel?"),
        ("ThreadPoolSize=65", "must be 64 at the most"),
        ("ThrottleBurst=0", "must be 1 at the least"),
        *((f"WorkerMaximumConcurrency='{value}'", "must be a number") for value in NO_NUMBERS),
        ("WorkerMaximumConcurrency=3.5", "must be a whole number"),
        ("VisibilityTimeoutSeconds=720.0", "must be a whole number"),
        ("TaskRetentionDays=3651", "must be 3650 at the most"),
        ("CallbackRetrySeconds=5,39601", "must match"),
        ("JwtIssuer=login.example.com JwtAudience=a", "must match"),
        ("JwtIssuer=http://login.example.com JwtAudience=a", "must be an https URL"),
        ("OAuthUrl=login.example.com", "must match"),
        ("ConsoleUrl=api.example.com", "must match"),
        ("AlarmEmail=ops", "must match"),
        ("AlarmEmail=' '", "must match"),
        ("AlarmEmail='ops@example.com, me@example.com'", "must match"),
        ("ReportEmail=ops@", "must match"),
        ("TenantClaim=", "must match"),
        ("TenantClaim='tenant id'", "must match"),
        ("ThreadPoolSize=\u0664", "must be a number"),
        ("RunbookUrl=https://example.com/\u00e9", "must match"),
        ("CorsOrigins=https://example.com:\u0668\u0660", "must match"),
        ("JwtIssuer='https://login.example.com ' JwtAudience=a", "must match"),
        ("ConsoleUrl=https://api.example.com/v1/", "must match"),
        ("Environment=Prod", "must match"),
        ("LogLevel", "Expected Name=value"),
        ("LogLevel='INFO", "No closing quotation"),
        (
            "CorsOrigins=* LogLevel=INFO CorsOrigins=https://example.com",
            "CorsOrigins is said twice",
        ),
        ("CorsOrigins=https://example.com/", "must match"),
        ("CorsOrigins='https://example.com, https://example.org'", "must match"),
        ("CorsOrigins=example.com", "must match"),
        ("CallbackAllowedNetworks=internal", "must match"),
        ("CallbackAllowedNetworks=10.0.0.1/8", "has host bits set"),
        ("CallbackAllowedNetworks=10.0.0.0/33", "does not appear to be"),
        ("CallbackAllowedNetworks=10.0.0.0/8,127.0.0.0/8", "127.0.0.0/8 is the function's own"),
        ("CallbackAllowedNetworks=127.0.0.1", "127.0.0.1 is the function's own machine"),
        ("CallbackAllowedNetworks=::1", "::1 is the function's own machine"),
        ("JwtIssuer=https://login.example.com/", "JwtIssuer needs JwtAudience"),
        ("JwtIssuer=https://login.example.com/ JwtAudience=,", "JwtIssuer needs JwtAudience"),
        ("JwtIssuer=https://login.example.com/ JwtAudience=' , '", "JwtIssuer needs JwtAudience"),
        ("SnapStart=true ApiProvisionedConcurrency=1", "exclude each other"),
        ("WorkerTimeoutSeconds=121", "VisibilityTimeoutSeconds=720 is less than 6 x"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_before_anything_is_built(
    more: str, why: str
) -> None:
    with pytest.raises(ToolError, match=why):
        Environment.read("dev").parameters(pairs(more))


@pytest.mark.parametrize(
    "more",
    [
        "CorsOrigins=*",
        "CorsOrigins=https://example.com,http://localhost:3000",
        "CallbackAllowedNetworks=10.0.0.0/8,fd00::/8,192.0.2.7",
        "CallbackAllowedNetworks=127.0.0.1/32 Emulated=true",
        "JwtIssuer=https://login.example.com/ JwtAudience=a,b",
        "JwtIssuer=http://127.0.0.1:9000 JwtAudience=a Emulated=true",
        "TenantTasksPerSecond=0.5 OnlineBudgetSeconds=2.5",
        "CallbackRetrySeconds=1,10,999,39599,39600",
        "AlarmEmail=ops+tandem@example.com TenantClaim=https://example.com/tenant",
        "ConsoleUrl=https://api.example.com:8443/tandem/v1.2",
        "SnapStart=true",
        "WorkerTimeoutSeconds=900 VisibilityTimeoutSeconds=5400",
    ],
)
def test_a_value_that_works_is_taken(more: str) -> None:
    values = Environment.read("dev").parameters(pairs(more))
    assert values.items() >= pairs(more).items()


def test_without_credentials_nothing_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
    assert main(["deploy", "dev"]) == 1
    assert "no credentials" in capsys.readouterr().err


OVERRIDES = {"AlarmEmail": "a 'b'", "JwtAudience": "x,y", "TenantClaim": "", "PublicDocs": "false"}


@pytest.mark.parametrize(
    "written",
    [
        """["AlarmEmail=a 'b'", "JwtAudience=x,y", "TenantClaim=", "PublicDocs=false"]""",
        r'''"AlarmEmail=\"a 'b'\" JwtAudience=x,y TenantClaim= PublicDocs=false"''',
        """{ AlarmEmail = "a 'b'", JwtAudience = "x,y", TenantClaim = "", PublicDocs = false }""",
        """{ AlarmEmail = "a 'b'", JwtAudience = ["x", "y"], TenantClaim = [],
            PublicDocs = false }""".replace("\n", ""),
        r"""'''ParameterKey=AlarmEmail,ParameterValue="a 'b'"
            ParameterKey=JwtAudience,ParameterValue=x,y TenantClaim= PublicDocs=false'''""",
        """["ParameterKey=AlarmEmail,ParameterValue=a 'b'", "JwtAudience=x,y", "TenantClaim=",
            "ParameterKey=PublicDocs,ParameterValue=false"]""",
    ],
    ids=["list", "text", "table", "table with lists", "text of pairs", "list of pairs"],
)
def test_overrides_are_read_in_each_form_that_sam_takes(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, f"parameter_overrides = {written}")
    assert Environment.read("dev").overrides == OVERRIDES


@pytest.mark.parametrize("written", ["[1]", '[["A=b"]]', "{ A = { b = 1 } }", "[{ A = 1 }]", "7"])
def test_overrides_that_are_no_text_are_refused(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, f"parameter_overrides = {written}")
    with pytest.raises(ToolError, match=r"Expected Name=value|cannot be"):
        Environment.read("dev")


def test_whatever_a_text_holds_is_a_value() -> None:
    for value in ("a b", "a\nb", "\t", '"', "'", "\\", "a=b", "a,b", "\u00e9 \u2028", "$x `y`", ""):
        assert pairs([f"TenantClaim={value}"]) == {"TenantClaim": value}
        assert pairs(shlex.join([f"TenantClaim={value}"])) == {"TenantClaim": value}


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Make another samconfig.toml the project's, with one line of its own for dev's deployment."""
    (folder / "samconfig.toml").write_text(
        f"""
        [default.global.parameters]
        stack_name = "tandem-dev"
        [default.deploy.parameters]
        capabilities = "CAPABILITY_IAM"
        {line}
        """
    )
    monkeypatch.setattr(environments, "PROJECT", folder)


@pytest.mark.parametrize(
    ("line", "parameters", "seconds"),
    [
        ("", "", 120),
        ('parameter_overrides = ["WorkerTimeoutSeconds=300"]', "", 300),
        ('parameter_overrides = "WorkerTimeoutSeconds=60"', "", 120),
        ("parameter_overrides = { WorkerTimeoutSeconds = 300 }", "WorkerTimeoutSeconds=400", 400),
        ('parameter_overrides = ["WorkerTimeoutSeconds=9000"]', "WorkerTimeoutSeconds=long", 120),
    ],
)
def test_the_longest_worker_is_that_of_any_deployment(
    line: str, parameters: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, line)
    monkeypatch.setenv("PARAMETERS", parameters)
    assert environments.longest_worker_seconds() == seconds


def test_a_project_without_environments_has_the_templates_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "PROJECT", tmp_path)
    assert environments.longest_worker_seconds() == 120


def test_what_only_sam_would_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, 'region = "eu-central-1"')
    with pytest.raises(ToolError, match="does not read region"):
        Environment.read("dev")


@pytest.mark.parametrize(("name", "said"), [("prod", "dev"), ("staging", "prod")])
def test_production_alone_is_deployed_as_production(name: str, said: str) -> None:
    with pytest.raises(ToolError, match=f"Environment={said}"):
        Environment.read(name).parameters(MAIL | {"Environment": said})


def test_production_has_someone_who_hears_its_alarms() -> None:
    with pytest.raises(ToolError, match="AlarmEmail"):
        Environment.read("prod").parameters({})


def checkout(folder: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)  # noqa: S603, S607 - our own folder
    return folder


def test_production_is_deployed_from_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout(tmp_path) / "changed.py").write_text("")
    monkeypatch.setattr(deploying, "PROJECT", tmp_path)
    monkeypatch.setattr(deploying, "build", lambda _: pytest.fail("it was built"))
    with pytest.raises(ToolError, match=r"changed\.py"):
        deploying.deploy("prod", "AlarmEmail=ops@example.com")


def test_a_clean_checkout_passes_and_a_folder_that_is_none_does_not(tmp_path: Path) -> None:
    deploying.require_committed(checkout(tmp_path / "clean"))
    (tmp_path / "none").mkdir()
    with pytest.raises(ToolError, match="not a git repository"):
        deploying.require_committed(tmp_path / "none")


def test_another_artifact_or_another_value_is_another_revision() -> None:
    first = deploying.revision("a", {"LogLevel": "INFO", "IndexShards": "4"})
    assert first == deploying.revision("a", {"IndexShards": "4", "LogLevel": "INFO"})
    assert first != deploying.revision("b", {"LogLevel": "INFO", "IndexShards": "4"})
    assert first != deploying.revision("a", {"LogLevel": "DEBUG", "IndexShards": "4"})
    assert len(first) == 64


def test_protection_is_no_part_of_a_revision_and_a_failed_attempt_is() -> None:
    first = deploying.revision("a", {"DeletionProtection": "true"})
    assert first == deploying.revision("a", {"DeletionProtection": "false"})
    moment = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    stack: Any = {"StackStatus": "UPDATE_ROLLBACK_COMPLETE", "LastUpdatedTime": moment}
    failed = deploying.failed_at(stack)
    assert first != deploying.revision("a", {"DeletionProtection": "true"}, failed_at=failed)
    assert deploying.failed_at(stack | {"StackStatus": "UPDATE_COMPLETE"}) == ""
    assert deploying.failed_at(None) == ""


@pytest.mark.parametrize("word", ["", "yes", "prod"])
def test_production_is_not_destroyed_without_its_name(
    word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destroying, "Account", lambda: pytest.fail("AWS was asked"))
    assert main(["destroy", "prod", "--confirm", word]) == 1
    assert "CONFIRM=tandem-prod" in capsys.readouterr().err


def test_what_stays_is_told_with_what_removes_it() -> None:
    kept = {
        "TaskTable": ("AWS::DynamoDB::Table", "table-1"),
        "TaskBucket": ("AWS::S3::Bucket", "bucket-1"),
    }
    lines = "\n".join(destroying.left(kept, protected=True))
    assert (
        "aws dynamodb update-table --no-deletion-protection-enabled --table-name table-1" in lines
    )
    assert "aws s3 rb --force s3://bucket-1" in lines
    assert "protection" not in "\n".join(destroying.left(kept, protected=False))


def test_everything_that_stays_can_be_removed() -> None:
    resources = load_template()["Resources"].values()
    policies = {"Retain", "RetainExceptOnCreate"}
    kept = {one["Type"] for one in resources if one.get("DeletionPolicy") in policies}
    assert kept == destroying.REMOVED_BY.keys()
