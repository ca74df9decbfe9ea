"""The environment that child processes get: this machine's own, with nothing of AWS in it."""

import os
from collections.abc import Mapping

from tandem_tools.paths import TOOLS

REGION = "us-east-1"
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105 - the emulator's root account, reachable on loopback only


def scrubbed(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without AWS and Python settings, and with `extra`."""
    dropped = ("AWS_", "SAM_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | dict(extra)


def with_tools() -> dict[str, str]:
    """Return this process's environment with this package on Python's path."""
    return os.environ | {"PYTHONPATH": str(TOOLS)}


def for_sam(path_first: str, endpoint_url: str = "") -> dict[str, str]:
    """Return the environment for the SAM CLI: the emulator's account, no telemetry."""
    return scrubbed(
        {
            "PATH": os.pathsep.join([path_first, os.environ.get("PATH", os.defpath)]),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint_url,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.3",  # seconds; the default of 5 is most of a deployment here
        },
    )
