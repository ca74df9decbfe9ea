"""What is left out of the dependencies, and what must not be."""

import gzip
import json
from pathlib import Path

import pytest

from tandem_tools.build.trim import trim
from tandem_tools.errors import ToolError

ENDPOINTS = {
    "partitions": [
        {
            "partition": "aws",
            "regions": {"eu-west-1": {}},
            "services": {"sqs": {"endpoints": {}}, "states": {}, "ec2": {}},
        }
    ]
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Dependencies in small, as pip leaves them."""
    data = tmp_path / "botocore" / "data"
    for name, prefix in (("sqs", "sqs"), ("stepfunctions", "states"), ("ec2", "ec2")):
        folder = data / name / "2020-01-01"
        folder.mkdir(parents=True)
        model = json.dumps({"metadata": {"endpointPrefix": prefix}}).encode()
        (folder / "service-2.json.gz").write_bytes(gzip.compress(model))
        (folder / "examples-1.json").write_text("{}")
    (data / "endpoints.json").write_text(json.dumps(ENDPOINTS))
    (data / "partitions.json").write_text("{}")
    (tmp_path / "boto3" / "data" / "ec2").mkdir(parents=True)
    (tmp_path / "boto3" / "data" / "sqs").mkdir(parents=True)
    for name in (
        "bin/fastapi",
        "six.py",
        "pandas/tests/test_frame.py",
        "pandas/api.py",
        "pandas/api.pyi",
        "six-1.dist-info/METADATA",
        "six-1.dist-info/RECORD",
        "six-1.dist-info/INSTALLER",
        "six-1.dist-info/entry_points.txt",
        "six-1.dist-info/LICENSE.txt",
        "six-1.dist-info/licenses/NOTICE",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def names(tree: Path) -> set[str]:
    return {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}


def test_models_of_other_services_go_with_their_endpoints(tree: Path) -> None:
    left_out = trim(tree, {"sqs", "stepfunctions"})

    assert left_out == {"ec2"}
    assert names(tree / "botocore" / "data") == {
        "endpoints.json",
        "partitions.json",
        "sqs/2020-01-01/service-2.json.gz",
        "stepfunctions/2020-01-01/service-2.json.gz",
    }
    assert [path.name for path in (tree / "boto3" / "data").iterdir()] == ["sqs"]
    [partition] = json.loads((tree / "botocore/data/endpoints.json").read_text())["partitions"]
    assert partition["services"] == {"sqs": {"endpoints": {}}, "states": {}}
    assert partition["regions"] == {"eu-west-1": {}}


def test_a_service_that_botocore_does_not_know_is_refused(tree: Path) -> None:
    with pytest.raises(ToolError, match="does not have: sqss"):
        trim(tree, {"sqs", "sqss"})


def test_tests_programs_and_types_go_and_code_stays(tree: Path) -> None:
    trim(tree, {"sqs"})
    assert {name for name in names(tree) if name.startswith(("bin", "pandas", "six.py"))} == {
        "six.py",
        "pandas/api.py",
    }


def test_licences_stay_with_the_metadata_that_programs_read(tree: Path) -> None:
    trim(tree, {"sqs"})
    assert names(tree / "six-1.dist-info") == {
        "METADATA",
        "entry_points.txt",
        "LICENSE.txt",
        "licenses/NOTICE",
    }
