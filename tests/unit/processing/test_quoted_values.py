"""Pydantic quotes a value in a warning where a model holds another type than its field has.

A warning that is not caught goes to the log. In tests a warning is an error: so these would raise.
"""

from typing import Any

from pydantic import BaseModel, field_validator

from tandem.http.submission import Submission
from tandem.processing import TaskContext, processor
from tandem.processing.catalogue import Catalogue
from tandem.tasks.effects import dump_answer
from tandem.testing import MemoryWiring
from tandem_tools.harness.tasks import ACME

SECRET = "a secret of an input"


class Odd(BaseModel):
    """A model whose validator returns another type than its field has."""

    words: str

    @field_validator("words")
    @classmethod
    def _apart(cls, words: str) -> Any:
        return words.split(" of ")


def test_no_input_is_quoted_by_its_document() -> None:
    submission = Submission(processor="work", input=Odd(words=SECRET))
    assert b"a secret" in submission.document()


def test_no_input_is_quoted_by_the_key_of_its_result() -> None:
    @processor("work", cache_for=60)
    def work(data: Odd, _ctx: TaskContext) -> Odd:
        return data

    wiring = MemoryWiring(catalogue=Catalogue([work]))
    keys = {wiring.results.key_of(ACME, work, Odd(words=words)) for words in (SECRET, "other")}
    assert len(keys - {None}) == 2


def test_no_answer_of_an_effect_is_quoted_by_its_record() -> None:
    assert "a secret" in dump_answer("key", Odd(words=SECRET))
