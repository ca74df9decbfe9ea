"""The artifact that is really made: its bill of materials, its modules, its AWS clients."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tandem_tools.build.compiled import require_compiled
from tandem_tools.build.complete import versions
from tandem_tools.build.dependencies import advice_on, pins
from tandem_tools.build.settings import Settings
from tandem_tools.build.sizes import total
from tandem_tools.build.store import SBOM, Store
from tandem_tools.build.tree import copy_source, files, machine_architecture, tree_hash
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT

REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-7", "cn-north-1", "us-gov-west-1")
REQUIREMENTS = (PROJECT / "requirements.txt").read_text()

type Json = dict[str, Any]


@pytest.fixture(scope="module")
def store() -> Store:
    made = Store(PROJECT, machine_architecture())
    with made.alone():
        made.make()
    return made


@pytest.fixture(scope="module")
def sbom(store: Store) -> Json:
    document: Json = json.loads((PROJECT / ".aws-sam" / SBOM).read_text())
    return document


def test_the_bill_of_materials_is_valid_cyclonedx(sbom: Json) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(sbom)) is None
    assert validator.validate_str(json.dumps(sbom | {"components": [{"name": "x"}]})) is not None


def test_the_bill_of_materials_names_what_is_in_the_artifact_and_nothing_else(
    store: Store, sbom: Json
) -> None:
    named = {one["purl"]: one for one in sbom["components"]}
    inside = versions(store.tree("dependencies"))
    assert set(named) == {f"pkg:pypi/{name}@{version}" for name, version in inside.items()}
    assert inside.items() <= pins(REQUIREMENTS).items()
    for one in sbom["components"]:
        [sha256] = one["hashes"]
        assert f"sha256:{sha256['content']}" in REQUIREMENTS
        assert one["licenses"]


def test_the_bill_of_materials_says_what_needs_what(sbom: Json) -> None:
    needs = {one["ref"].partition("@")[0]: one["dependsOn"] for one in sbom["dependencies"]}
    assert [re.split("[/@]", ref)[1] for ref in needs["pkg:pypi/mangum"]] == ["typing-extensions"]
    assert {re.split("[/@]", ref)[1] for ref in needs["pkg:pypi/boto3"]} == {
        "botocore",
        "jmespath",
        "s3transfer",
    }
    assert len(needs["pkg:generic/tandem"]) == len(sbom["components"])


def test_what_was_made_already_is_not_made_again(store: Store) -> None:
    with store.alone():
        assert store.make() is False


def test_a_functions_folder_is_the_layers_and_nothing_else(store: Store, tmp_path: Path) -> None:
    with store.alone():
        store.copy_into(tmp_path / "ApiFunction")
        with pytest.raises(ToolError, match="is not empty"):
            store.copy_into(tmp_path / "ApiFunction")
    tree = tmp_path / "ApiFunction"
    layers = [store.tree(name) for name in ("dependencies", "application")]
    expected = {path.relative_to(layer) for layer in layers for path in files(layer)}
    assert {path.relative_to(tree) for path in files(tree)} == expected
    assert require_compiled(tree) > 1000
    assert total(store.sizes()).unpacked == sum(path.stat().st_size for path in files(tree))
    assert not (tree / "tandem" / "testing").exists()
    again = tmp_path / "again"
    with store.alone():
        store.copy_into(again)
    assert tree_hash(again) == tree_hash(tree)


CLIENTS = """
import json, sys
import boto3
from botocore.exceptions import UnknownServiceError
services, regions = json.loads(sys.argv[1])
found = {}
for service in services:
    for region in regions:
        client = boto3.client(service, region, aws_access_key_id="x", aws_secret_access_key="x")
        found[f"{service} {region}"] = client.meta.endpoint_url
    found[service] = boto3.Session().get_available_regions(service)
try:
    boto3.client("kinesis", "us-east-1")
except UnknownServiceError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""


def test_every_kept_client_talks_to_the_endpoints_of_an_untrimmed_one(store: Store) -> None:
    services = sorted(Settings.read(PROJECT).aws_services)
    done = subprocess.run(  # noqa: S603 - this Python and our own code
        [sys.executable, "-S", "-B", "-c", CLIENTS, json.dumps([services, REGIONS])],
        cwd=store.tree("dependencies"),
        env={"AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)

    assert found.pop("error") == (
        "Unknown service: 'kinesis'. Valid service names are: " + ", ".join(services)
    )
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    for service in services:
        assert found.pop(service) == session.get_available_regions(service)
        for region in REGIONS:
            untrimmed = session.client(service, region).meta.endpoint_url
            assert found.pop(f"{service} {region}") == untrimmed
    assert not found


def test_nothing_hidden_is_shipped(tmp_path: Path) -> None:
    source, tree = tmp_path / "functions", tmp_path / "tree"
    for name in (".env", "processors/.env.local", ".git/config", "processors/hello.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("A = 1\n")
    copy_source(source, tree, frozenset())
    assert [path.relative_to(tree).as_posix() for path in files(tree)] == ["processors/hello.py"]


def test_a_package_without_a_wheel_is_named_in_the_advice() -> None:
    said = (
        "ERROR: Could not find a version that satisfies the requirement twofish==0.3.0 "
        "(from versions: none)\nERROR: No matching distribution found for twofish==0.3.0\n"
    )
    assert advice_on(said, "arm64").startswith("twofish==0.3.0 has no wheel for Linux on arm64")
    assert "pinned with hashes" in advice_on("ERROR: In --require-hashes mode", "arm64")
