import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.text import storable

LEGAL = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
"""What SQS takes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain\ttext\r\n", "plain\ttext\r\n"),
        ("ü😀\x7f\x85", "ü😀\x7f\x85"),
        ("a\x00b\x1bc", "a\ufffdb\ufffdc"),
        ("\ud83d\ude00", "\ufffd\ufffd"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("", ""),
        ("x" * 100, "x" * 10),
        ("😀" * 100, "😀" * 10),
    ],
)
def test_a_text_is_cut_and_loses_only_what_cannot_be_stored(text: str, stored: str) -> None:
    assert storable(text, 15 if len(text) < 15 else 10) == stored


@given(st.text(st.characters()), st.integers(0, 50))
def test_any_text_becomes_one_that_sqs_and_dynamodb_take(text: str, characters: int) -> None:
    stored = storable(text, characters)
    assert LEGAL.fullmatch(stored)
    assert len(stored) <= characters
    assert len(stored.encode()) <= 4 * characters
