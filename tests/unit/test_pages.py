"""Every block that the pages show is run by a test, or says why not."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from cfnlint.api import lint_all

from tandem_tools.check.vulnerabilities import read_exempt
from tandem_tools.paths import PROJECT
from tests.factories.pages import BLOCKS, Block

RUN_BY = {
    ("README.md", "python"): "tests/tools/check/test_newcomer.py",
    ("docs/tutorial.md", "python"): "tests/unit/test_docs.py",
    ("docs/how-to/invoke-one-function.md", "python"): "tests/stack/test_events.py",
    ("docs/how-to/receive-callbacks.md", "python"): "tests/unit/test_docs.py",
    ("docs/how-to/send-reports.md", "python"): "tests/unit/test_docs.py",
    ("docs/how-to/settings-and-secrets.md", "python"): "tests/unit/test_docs.py",
    ("docs/how-to/call-from-another-lambda.md", "python"): "tests/client/test_client.py",
    ("docs/how-to/use-the-client.md", "python"): "tests/client/test_client.py",
    ("docs/how-to/write-a-processor.md", "python"): "tests/unit/test_docs.py",
    ("docs/security.md", "toml"): "tests/unit/test_pages.py",
    ("docs/how-to/own-resources.md", "python"): "tests/factories/own_resources.py",
    ("docs/how-to/own-resources.md", "yaml"): "tests/factories/own_resources.py",
    ("docs/how-to/use-your-own-domain.md", "yaml"): "tests/unit/test_pages.py",
}
"""For the blocks of a page in a language, the test that runs them."""
TO_RUN = {"console", "toml", "python", "yaml"}
LISTED = PROJECT / "docs" / "never-ran-on-aws.md"


def run_by(block: Block) -> str | None:
    """Return the test that runs a block."""
    if block.calls_the_stack:
        return "tests/stack/test_pages.py"
    if block.language == "toml" and "parameter_overrides" in block.text:
        return "tests/unit/test_docs.py"
    return RUN_BY.get((block.page, block.language))


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in TO_RUN], ids=str)
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    if block.untested:
        assert len(block.untested) > 20
        return
    test = run_by(block)
    assert test is not None, 'run it in a test, or write untested="why" behind its language'
    text = (PROJECT / test).read_text()
    assert Path(block.page).name in text or "BLOCKS" in text or "rglob" in text


def test_blocks_that_no_test_runs_are_listed_with_why() -> None:
    section = LISTED.read_text().partition("## Blocks of the pages that no test runs\n")[2]
    for block in BLOCKS:
        if block.untested:
            page = block.page.removeprefix("docs/")
            assert any(page in line and block.untested in line for line in section.splitlines()), (
                f"{block}: add it to the table of {LISTED.name}"
            )


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "json"], ids=str)
def test_json_is_json(block: Block) -> None:
    assert json.loads(block.text)


def test_an_exception_for_a_vulnerability_is_read_as_it_is_shown(tmp_path: Path) -> None:
    (block,) = (one for one in BLOCKS if (one.page, one.language) == ("docs/security.md", "toml"))
    file = tmp_path / "pyproject.toml"
    file.write_text(block.text)
    assert [one.id for one in read_exempt(file)] == [
        one["id"]
        for one in tomllib.loads(block.text)["tool"]["tandem"]["vulnerabilities"]["exempt"]
    ]


def test_a_domain_of_ones_own_is_a_template_of_cloudformation() -> None:
    page = "docs/how-to/use-your-own-domain.md"
    (block,) = (one for one in BLOCKS if (one.page, one.language) == (page, "yaml"))
    text = "Resources:\n" + "".join(f"  {line}\n" for line in block.text.splitlines())
    assert yaml.compose(text) is not None
    assert [str(match) for match in lint_all(text)] == []
