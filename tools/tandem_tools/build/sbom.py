"""The software bill of materials: what the artifact is made of, as CycloneDX JSON.

https://cyclonedx.org/docs/1.6/json/. The same artifact gives the same document: no date, and a
serial number that is made of the content.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path
from typing import Any

from tandem_tools.build.dependencies import Package, normalized

type Json = dict[str, Any]

NAMESPACE = uuid.UUID("7f0f5cde-6a0d-5f0e-9a52-0b5ad0f1c6f3")
"""Of the serial numbers. Any would do that no other program uses."""


def bill_of_materials(
    tree: Path, packages: Sequence[Package], *, name: str, version: str, architecture: str
) -> str:
    """Return the document for a tree of dependencies.

    Args:
        tree: what is in the artifact. Versions, licences and dependencies are read there.
        packages: what was installed, for the hashes of the wheels.
        name: of the project.
        version: of the project.
        architecture: that the artifact is for.
    """
    hashes = {package.name: package.wheel_sha256 for package in packages}
    found = {
        normalized(distribution.metadata["Name"]): distribution
        for distribution in distributions(path=[str(tree)])
    }
    refs = {
        known: f"pkg:pypi/{known}@{distribution.version}"
        for known, distribution in sorted(found.items())
    }
    root = f"pkg:generic/{name}@{version}?arch={architecture}"
    document: Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": name,
                "version": version,
                "purl": root,
            },
        },
        "components": [_component(found[known], refs[known], hashes[known]) for known in refs],
        "dependencies": [
            {"ref": root, "dependsOn": list(refs.values())},
            *({"ref": ref, "dependsOn": _needs(found[known], refs)} for known, ref in refs.items()),
        ],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(document, sort_keys=True))
    return json.dumps(document | {"serialNumber": serial.urn}, indent=2) + "\n"


def _component(distribution: Distribution, ref: str, sha256: str) -> Json:
    component: Json = {
        "type": "library",
        "bom-ref": ref,
        "name": distribution.metadata["Name"],
        "version": distribution.version,
        "purl": ref,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    }
    if licence := _licence(distribution.metadata):
        component["licenses"] = [licence]
    return component


def _licence(metadata: PackageMetadata) -> Json | None:
    """Return the licence as the package says it: an SPDX expression, or else its own words."""
    if "License-Expression" in metadata:
        return {"expression": metadata["License-Expression"]}
    named = metadata["License"] if "License" in metadata else _classified(metadata)
    return {"license": {"name": named.splitlines()[0]}} if named else None


def _classified(metadata: PackageMetadata) -> str:
    found = [
        classifier
        for classifier in metadata.get_all("Classifier") or ()
        if classifier.startswith("License ::")
    ]
    return found[0].rpartition(" :: ")[2] if found else ""


def _needs(distribution: Distribution, refs: Mapping[str, str]) -> list[str]:
    return sorted({refs[name] for name in _required(distribution) if name in refs})


def _required(distribution: Distribution) -> Iterator[str]:
    """Return the names of what a package requires without an extra."""
    for requirement in distribution.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name and not re.search(r";.*\bextra\s*==", requirement):
            yield normalized(name[0])
