"""The page of what never ran on AWS has what the code marks so, and the other way round."""

import re
import subprocess

from tandem_tools.deploy.proofs import STAGES
from tandem_tools.paths import PROJECT

PAGE = PROJECT / "docs" / "never-ran-on-aws.md"
MARK = re.compile(r"Never ran on AWS: \[?(.+?)(?:\]\(.*| -->)?$", re.MULTILINE)
ROW = re.compile(r"^\| ([^|]+) \| .+ \| .+ \|$", re.MULTILINE)
UNMARKED = (":!tests", ":!CHANGELOG.md")
KINDS = {".md", ".py", ".toml", ".yaml", ".yml", ""}


def marked() -> set[str]:
    """Return what the project's files mark."""
    command = ["git", "-C", str(PROJECT), "ls-files", *UNMARKED]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    files = [PROJECT / name for name in listed.stdout.splitlines()]
    texts = (
        file.read_text()
        for file in files
        if file != PAGE and file.suffix in KINDS and file.exists()
    )
    return {mark for text in texts for mark in MARK.findall(text)}


def listed() -> set[str]:
    """Return the mechanisms that the page has."""
    mechanisms = PAGE.read_text().partition("## Blocks of the pages")[0]
    return {row.strip() for row in ROW.findall(mechanisms)} - {"mechanism", "---"}


def test_the_page_has_every_mechanism_that_is_marked_and_no_other() -> None:
    assert listed() == marked()


def test_what_the_command_proves_is_on_the_page_in_its_order() -> None:
    (by_command,) = re.findall(r"## Proved by one command\n(.*?)\n## ", PAGE.read_text(), re.DOTALL)
    rows = [row.strip() for row in ROW.findall(by_command)][2:]
    assert rows == [proof.mechanism for stage in STAGES for proof in stage.proofs]
