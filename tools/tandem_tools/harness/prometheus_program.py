"""Prometheus from Debian's package, without root: for the tests of `monitoring/`."""

import getpass
import shutil
import subprocess
from pathlib import Path

from tandem_tools.environment import scrubbed
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT

TOOLS = PROJECT / ".tools"
PROMETHEUS = TOOLS / "prometheus" / "usr" / "bin" / "prometheus"
PROMTOOL = PROMETHEUS.with_name("promtool")
DOWNLOADED_WITHIN_SECONDS = 300


def available() -> bool:
    """Return whether this machine can fetch Debian's packages, or has Prometheus already."""
    return PROMETHEUS.exists() or shutil.which("apt-get") is not None


def fetch() -> None:
    """Download and unpack the package, once. Nothing of the system is changed.

    Raises:
        ToolError: the machine's Debian mirror does not give it.
    """
    if PROMETHEUS.exists():
        return
    work = TOOLS / "apt"
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("state/lists/partial", "cache/archives/partial", "downloaded"):
        (work / folder).mkdir(parents=True)
    apt = [
        "apt-get",
        "--quiet=2",
        f"--option=Dir::State={work / 'state'}",
        "--option=Dir::State::status=/var/lib/dpkg/status",
        f"--option=Dir::Cache={work / 'cache'}",
        "--option=Debug::NoLocking=1",
        f"--option=APT::Sandbox::User={getpass.getuser()}",
    ]
    _run([*apt, "update"], work)
    _run([*apt, "download", "prometheus"], work / "downloaded")
    (package,) = (work / "downloaded").glob("prometheus_*.deb")
    unpacked = work / "unpacked"
    _run(["dpkg-deb", "--extract", str(package), str(unpacked)], work)
    shutil.rmtree(TOOLS / "prometheus", ignore_errors=True)
    unpacked.rename(TOOLS / "prometheus")
    shutil.rmtree(work)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=scrubbed({}),
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOADED_WITHIN_SECONDS,
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise ToolError(
            f"Debian's package of Prometheus cannot be fetched:\n{said.strip()}",
            "The tests of monitoring/ need it; look at this machine's apt sources.",
        ) from None
