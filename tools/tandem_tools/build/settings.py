"""The build's settings: the table [tool.tandem.artifact] of pyproject.toml, and constants."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

REQUIREMENTS = "requirements.txt"
ARCHITECTURES = ("arm64", "x86_64")
PYTHON = (3, 13)
"""The runtime's minor version, as the template's Runtime says: a `.pyc` is good for one only."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The table of pyproject.toml."""

    name: str
    version: str
    """The project's own."""
    aws_services: frozenset[str]
    """The AWS services that the code may make clients of, by boto3's names."""
    max_zip_mb_without_duckdb: float | None
    """In millions of bytes. None where Lambda's own limit alone holds."""

    @classmethod
    def read(cls, project: Path) -> Self:
        """Return a project's settings."""
        document = tomllib.loads((project / "pyproject.toml").read_text())
        table = document["tool"]["tandem"]["artifact"]
        return cls(
            name=document["project"]["name"],
            version=document["project"]["version"],
            aws_services=frozenset(table["aws-services"]),
            max_zip_mb_without_duckdb=table.get("max-zip-mb-without-duckdb"),
        )
