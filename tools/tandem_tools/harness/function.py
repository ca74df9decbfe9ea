"""A function of the built artifact as a process: the part that Lambda's image has.

The process finds the artifact, the runtime client (awslambdaric) and the standard library, and
nothing else: what the artifact lacks, the function lacks.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path

from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY

RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The runtime client and what it needs. Lambda's image also has boto3, which the artifact brings
in the version that it was tested with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of the artifact, with what its deployment would set."""

    folder: Path
    """Its part of the artifact."""
    handler: str
    timeout_seconds: int = 30
    memory_mb: int = 1024
    environment: Mapping[str, str] = field(default_factory=dict)
    platform_log_level: str = "INFO"
    """The level below which Lambda drops lines. Its runtime sets the root logger to it."""

    def command(self) -> list[str]:
        """Return what starts the runtime client, in an interpreter with no site-packages.

        `-B` stands for Lambda's read-only file system: no `.pyc` is written.
        """
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        python = Path(sys.base_prefix, "bin", f"python{version}")
        return [str(python), "-S", "-B", "-m", "awslambdaric", self.handler]

    def process_environment(self, scratch: Path) -> dict[str, str]:
        """Return what Lambda sets, and what the template declares. Nothing of this machine's.

        Args:
            scratch: where the runtime client is put, and the function's temporary files go.
        """
        temporary = scratch / "tmp"
        temporary.mkdir(exist_ok=True)
        return {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(_runtime_client(scratch / "runtime")),
            "LAMBDA_TASK_ROOT": str(self.folder),
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": self.handler.rpartition(".")[0].rpartition(".")[2],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_seconds),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": self.platform_log_level,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            **self.environment,
        }


def _runtime_client(folder: Path) -> Path:
    """Link the runtime client, and only that, from this environment into a folder."""
    folder.mkdir(exist_ok=True)
    for package in RUNTIME_CLIENT:
        for file in files(package) or ():
            top = file.parts[0]
            link = folder / top
            if not top.endswith((".dist-info", "__pycache__")) and not link.exists():
                link.symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)
    return folder
