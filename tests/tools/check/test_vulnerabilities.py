"""The check for known vulnerabilities, against a database of the test's own."""

import json
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tandem_tools.check import vulnerabilities
from tandem_tools.check.vulnerabilities import (
    AuditFailed,
    Exempt,
    Findings,
    Vulnerability,
    audit,
    read_exempt,
    wrong,
)

TODAY = date(2026, 11, 24)
HASH = "sha256:" + "0" * 64
LOCK = f"harmless==1.0 --hash={HASH}\nholed==2.0 --hash={HASH}\n"
HOLE = {
    "id": "OSV-1",
    "aliases": ["CVE-2026-1"],
    "summary": "It lets anyone in.",
    "affected": [
        {
            "package": {"name": "holed", "ecosystem": "PyPI"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]},
            ],
        }
    ],
}
FOUND = Findings({"holed"}, {"holed"}, [Vulnerability(frozenset({"OSV-1", "CVE-1"}), "holed")])


class Database(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        asked = json.loads(self.rfile.read(length))["package"]["name"]
        answer = {"vulns": [HOLE]} if asked == "holed" else {}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def osv_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        thread = Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a lock file, on a machine that reaches nothing but itself."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    path = tmp_path / "requirements.txt"
    path.write_text(LOCK)
    return path


def test_what_one_database_knows_is_found_though_the_other_is_not_reached(
    lock: Path, osv_url: str
) -> None:
    findings = audit([lock], osv_url=osv_url)
    assert findings.known == findings.packages == {"harmless", "holed"}
    [line] = wrong(findings, [], TODAY)
    assert line == "CVE-2026-1 (OSV-1): holed 2.0, mended in 2.1"


def test_a_machine_that_reaches_no_database_fails_nothing_and_says_so(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vulnerabilities, "TIMEOUT_SECONDS", 1)
    assert vulnerabilities.main([str(lock)]) == 0
    assert "NOT ASKED" in capsys.readouterr().err


def test_a_lock_file_without_hashes_is_no_question_of_the_network(lock: Path) -> None:
    lock.write_text("harmless==1.0\n")
    with pytest.raises(AuditFailed, match="hash"):
        audit([lock])


@pytest.mark.parametrize(
    ("exempt", "lines"),
    [
        ([], ["holed"]),
        ([Exempt("OSV-1", "not called", TODAY)], []),
        ([Exempt("CVE-1", "not called", TODAY)], []),
        ([Exempt("OSV-2", "another", TODAY)], ["holed"]),
    ],
)
def test_an_exception_holds_for_its_own_vulnerability(
    exempt: list[Exempt], lines: list[str]
) -> None:
    assert wrong(FOUND, exempt, TODAY) == lines


def test_an_exception_ends() -> None:
    over = Exempt("OSV-1", "not called", date(2026, 11, 23))
    assert len(wrong(FOUND, [over], TODAY)) == 2
    assert len(wrong(Findings(), [over], TODAY)) == 1


def test_an_exception_says_why_and_until_when(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        "[[tool.tandem.vulnerabilities.exempt]]\n"
        'id = "OSV-1"\nreason = "not called"\nuntil = 2026-12-01\n'
    )
    assert read_exempt(path) == [Exempt("OSV-1", "not called", date(2026, 12, 1))]
    path.write_text('[[tool.tandem.vulnerabilities.exempt]]\nid = "OSV-1"\n')
    with pytest.raises(TypeError):
        read_exempt(path)
