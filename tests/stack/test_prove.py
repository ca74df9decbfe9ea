"""`make prove-on-aws` for real, into the emulator instead of AWS."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tandem_tools.deploy import prove as proving
from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.cli import main
from tests.stack.deployments import parameters

type Json = dict[str, Any]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("emulator")
def test_what_the_emulator_can_show_holds_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(proving, "REPORTS", tmp_path)
    assert main(["prove", "--yes", "--parameters", parameters()]) == 0, capfd.readouterr()
    said = capfd.readouterr().out
    assert "dollars" in said.partition("…")[0]
    [file] = tmp_path.glob("*.json")
    report: Json = json.loads(file.read_text())
    outcomes = {one["mechanism"]: one["outcome"] for one in report["shown"]}
    assert outcomes.pop("signed URLs") == "held"
    assert set(outcomes.values()) == {"not run"}
    assert report["left"] == []
    assert report["requests"] > 0
    assert report["calls"]["cloudformation:CreateChangeSet"] >= 1
    assert 0 < report["dollars"] < 1
    assert file.with_suffix(".md").read_text().count("**held**") == 1
    assert Account().stack("tandem-prove") is None
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    assert not [name for name in tables if name.startswith("tandem-prove")]
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    assert not [one["Name"] for one in buckets if one["Name"].startswith("tandem-prove")]
