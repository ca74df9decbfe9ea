"""Files that no function needs, left out by rules that say why this is safe.

The tests run each kind of request and each AWS client on what is left (tests/stack/test_events.py).
"""

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from tandem_tools.build.tree import files
from tandem_tools.errors import ToolError

LEFT_OUT = (
    "bin",  # programs for a shell
    "**/*.pyi",  # for type checkers
    "_duckdb-stubs",
    "**/tests",
    "tandem/testing",  # doubles
    "adbc_driver_duckdb",  # needs a driver manager that is not installed
    "duckdb/experimental",  # a Spark interface, which duckdb itself does not import
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js",  # of its own resolver's pages
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.css",
    "boto3/examples",
    "botocore/data/*/*/examples-1.json*",  # for botocore's documentation
)
KEPT_OF_METADATA = re.compile(
    r"METADATA|entry_points\.txt|licenses|(LICEN[CS]E|NOTICE|COPYING|AUTHORS).*", re.IGNORECASE
)
"""importlib.metadata needs the first two. Licences must be passed on with what they license."""


def trim(tree: Path, aws_services: AbstractSet[str]) -> frozenset[str]:
    """Remove from installed dependencies what no function needs.

    Args:
        tree: where they are.
        aws_services: whose models stay, by boto3's names.

    Returns:
        The names of the AWS services that were left out.

    Raises:
        ToolError: a service is named that botocore does not know.
    """
    for pattern in LEFT_OUT:
        for path in sorted(tree.glob(pattern)):
            _remove(path)
    for metadata in sorted(tree.glob("*.dist-info")):
        for path in sorted(metadata.iterdir()):
            if not KEPT_OF_METADATA.fullmatch(path.name):
                _remove(path)
    left_out = _trim_services(tree, aws_services)
    for path in files(tree):
        path.chmod(0o644)
    return left_out


def _trim_services(tree: Path, kept: AbstractSet[str]) -> frozenset[str]:
    known = {path.name: path for path in _folders(tree / "botocore" / "data")}
    if unknown := kept - known.keys():
        raise ToolError(
            f"pyproject.toml keeps AWS services that botocore does not have: {_listed(unknown)}.",
            "Use boto3's names in aws-services, as in boto3.client(…).",
        )
    prefixes = {_endpoint_prefix(known[name]) for name in kept}
    _trim_endpoints(tree / "botocore" / "data" / "endpoints.json", prefixes)
    for data in (tree / "botocore" / "data", tree / "boto3" / "data"):
        for path in _folders(data):
            if path.name not in kept:
                shutil.rmtree(path)
    return frozenset(known.keys() - kept)


def _trim_endpoints(path: Path, prefixes: AbstractSet[str]) -> None:
    """Keep of each partition its regions and the endpoints of the kept services.

    botocore reads all of the file for its first client. For a service that is not in it, it
    takes the partition's defaults.
    """
    document = json.loads(path.read_text())
    for partition in document["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    path.write_text(json.dumps(document, separators=(",", ":")))


def _endpoint_prefix(service: Path) -> str:
    """Return a service's name in endpoints.json, which its newest model says."""
    model = max(service.glob("*/service-2.json*"))
    content = model.read_bytes()
    document: dict[str, Any] = json.loads(
        gzip.decompress(content) if model.suffix == ".gz" else content
    )
    prefix: str = document["metadata"]["endpointPrefix"]
    return prefix


def _folders(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.is_dir())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _listed(names: AbstractSet[str]) -> str:
    return ", ".join(sorted(names))
