"""Known vulnerabilities of what lock files name, by pip-audit.

One that is found fails, unless pyproject.toml excepts it, with a reason and a day. A machine that
reaches a mirror of packages and no database of vulnerabilities fails nothing: it says loudly what
could not be asked.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tandem_tools.paths import PROJECT

OSV_URL = "https://api.osv.dev/v1/query"
TIMEOUT_SECONDS = 10

_UNREACHED = re.compile(r"Could not connect|ConnectionError|ProxyError|Timeout|HTTPError")


@dataclass(frozen=True, slots=True)
class Exempt:
    """A vulnerability that does not concern this project, until a day on which to look again."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """One that a package has."""

    ids: frozenset[str]
    """Its names in all databases."""
    text: str


@dataclass(slots=True)
class Findings:
    """What databases know of packages."""

    packages: set[str] = field(default_factory=set)
    """All that were to be asked about."""
    known: set[str] = field(default_factory=set)
    """Those that one of the databases has."""
    vulnerabilities: list[Vulnerability] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    """Each database that was not, with what was said."""

    @property
    def complete(self) -> bool:
        """Whether every package was asked about."""
        return bool(self.packages) and self.known >= self.packages


class AuditFailed(Exception):
    """pip-audit failed, and not for want of a network."""


def main(lock_files: Sequence[str]) -> int:
    """Print what is known of the packages of lock files. Return 1 when something must be done."""
    findings = audit([Path(name) for name in lock_files])
    bad = wrong(findings, read_exempt(PROJECT / "pyproject.toml"), datetime.now(UTC).date())
    if not findings.complete:
        print(_warning(findings), file=sys.stderr)
    print(f"known vulnerabilities: {len(findings.known)} packages asked about, {len(bad)} to mend")
    for line in bad:
        print(f"  {line}", file=sys.stderr)
    return 1 if bad else 0


def audit(lock_files: Sequence[Path], *, osv_url: str = OSV_URL) -> Findings:
    """Ask PyPI about the packages of lock files, and OSV when PyPI does not know all of them.

    Raises:
        AuditFailed: a lock file cannot be read, or pip-audit does not work.
    """
    findings = Findings()
    for service in ("pypi", "osv"):
        document = _ask(service, lock_files, osv_url)
        if isinstance(document, str):
            findings.not_reached.append(f"{service}: {document}")
        else:
            _include(findings, document)
            if findings.complete:
                break
    return findings


def _ask(service: str, lock_files: Sequence[Path], osv_url: str) -> dict[str, Any] | str:
    """Return what pip-audit found, or why the database was not reached."""
    command = [
        str(Path(sys.executable).with_name("pip-audit")),
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner=off",
        "--format=json",
        f"--timeout={TIMEOUT_SECONDS}",
        f"--vulnerability-service={service}",
        f"--osv-url={osv_url}",
        *(f"--requirement={lock_file}" for lock_file in lock_files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        if _UNREACHED.search(done.stderr):
            return done.stderr.strip().splitlines()[-1]
        raise AuditFailed(done.stderr) from None
    return document


def _include(findings: Findings, document: Mapping[str, Any]) -> None:
    for pinned in document["dependencies"]:
        findings.packages.add(pinned["name"])
        if "skip_reason" in pinned:
            continue
        findings.known.add(pinned["name"])
        for found in pinned["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no version"
            also = " ".join(found["aliases"])
            text = (
                f"{found['id']} ({also}): {pinned['name']} {pinned['version']}, mended in {fixed}"
            )
            ids = frozenset([found["id"], *found["aliases"]])
            findings.vulnerabilities.append(Vulnerability(ids, text))


def read_exempt(project_file: Path) -> list[Exempt]:
    """Return what [tool.tandem.vulnerabilities] of a pyproject.toml excepts."""
    document = tomllib.loads(project_file.read_text())
    table = document["tool"]["tandem"].get("vulnerabilities", {})
    return [Exempt(**exception) for exception in table.get("exempt", [])]


def wrong(findings: Findings, exempt: Sequence[Exempt], today: date) -> list[str]:
    """Return a line on each vulnerability that is not excepted, and each exception gone stale."""
    in_force = {exception.id for exception in exempt if today <= exception.until}
    found = [finding.text for finding in findings.vulnerabilities if not finding.ids & in_force]
    ended = (exception for exception in exempt if today > exception.until)
    return found + [
        f"{exception.id}: look again, excepted until {exception.until}" for exception in ended
    ]


def _warning(findings: Findings) -> str:
    unknown = sorted(findings.packages - findings.known)
    about = f"{len(unknown)} packages ({', '.join(unknown[:3])} …)" if unknown else "any package"
    lines = [
        "!" * 80,
        f"NOT ASKED whether vulnerabilities are known of {about}:",
        "no database that this machine reaches knows them. Run it again where one is reached.",
        *findings.not_reached,
        "!" * 80,
    ]
    return "\n".join(lines)
