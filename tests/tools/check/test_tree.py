"""What must not be in the repository: secrets, and what cannot be read before it is run."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

from tandem_tools.paths import PROJECT

LARGEST_BYTES = 1_000_000
HASHES_ONLY = ("requirements", "openapi")
"""Starts of names of long files that a program writes: there is no room in them for a secret."""

DETECTORS = [
    "AWSKeyDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "NpmDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SlackDetector",
    "StripeDetector",
]
"""Those that know a kind of secret by its form. Others guess by entropy: each lock file has
thousands of hashes."""


def secrets_in(paths: Iterable[Path]) -> list[str]:
    """Return where files hold secrets, and of which kind."""
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        found = SecretsCollection()
        for path in paths:
            found.scan_file(str(path))
    return [f"{name}:{secret.line_number} {secret.type}" for name, secret in found]


def test_no_secret_is_kept(tree: list[Path]) -> None:
    assert secrets_in(path for path in tree if not path.name.startswith(HASHES_ONLY)) == []


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "AKIA" + "IOSFODNN7" + "QWERTYZ",
        "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
    ],
)
def test_a_secret_would_be_found(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "settings.py"
    path.write_text(f'KEY = "{secret}"\n')
    assert len(secrets_in([path])) == 1


def test_everything_that_is_kept_can_be_read(tree: list[Path]) -> None:
    unreadable = []
    for path in tree:
        content = path.read_bytes()
        name = str(path.relative_to(PROJECT))
        if b"\0" in content or len(content) > LARGEST_BYTES:
            unreadable.append(name)
    assert unreadable == []


def test_no_environment_of_a_machine_is_kept(tree: list[Path]) -> None:
    assert [path for path in tree if path.name == ".env" or path.suffix in {".pem", ".key"}] == []
