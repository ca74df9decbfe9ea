"""The prose rules that a program checks."""

import pytest

from tandem_tools.check.prose import in_pages, in_sources, of_page, of_source


def test_the_projects_own_prose_keeps_the_rules() -> None:
    assert [*in_sources(), *in_pages()] == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('"""What is done."""', "begin with the subject, not with What"),
        ('"""Tasks."""\ndef f():\n    """Return one; or two."""', "in the place of a semicolon"),
        ('"""Tasks. ' + "word " * 31 + '."""', "32 words, at most 30"),
        ('"""Tasks."""\nLIMIT = 1\n"""Of one; of all."""', "in the place of a semicolon"),
    ],
)
def test_a_docstring_that_breaks_a_rule_is_found(source: str, fault: str) -> None:
    (found,) = of_source(source)
    assert fault in found


@pytest.mark.parametrize(
    "source",
    [
        '"""Tasks: `a; b` is code."""',
        '"""Tasks.\n\nExample:\n    one; two\n"""',
        '"""Tasks."""\ndef f():\n    """Return how many there are."""',
    ],
)
def test_code_and_examples_in_a_docstring_are_no_prose(source: str) -> None:
    assert [*of_source(source)] == []


def test_a_sentence_that_is_too_long_for_a_page_is_found_and_a_table_is_not() -> None:
    (found,) = of_page("word " * 60 + "word.")
    assert "61 words" in found
    assert [*of_page("| " + "word " * 80 + "|\n\n```text\n" + "word " * 80 + "\n```\n")] == []
