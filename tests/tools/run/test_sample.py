"""What `make run` shows to try."""

from typing import Any

import httpx2
import pytest

from tandem_tools.run import sample

HELLO = {"name": "hello", "input_schema": {"examples": [{"name": "Ada"}]}}
ECHO = {"name": "echo", "input_schema": {"examples": [{"message": "hello"}]}}
PICTURE = {"name": "a-picture", "input_schema": {"examples": [{"upload": "u"}]}}
BARE = {"name": "bare", "input_schema": {}}


@pytest.mark.parametrize(
    ("processors", "shown"),
    [
        ([PICTURE, BARE, ECHO, HELLO], {"processor": "hello", "input": {"name": "Ada"}}),
        ([PICTURE, BARE, ECHO], sample.ECHO),
    ],
)
def test_a_projects_own_processor_is_shown_where_it_can_be_tried(
    processors: list[dict[str, Any]], shown: dict[str, Any]
) -> None:
    answer = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"processors": processors}))
    with httpx2.Client(transport=answer, base_url="http://api") as api:
        assert sample.to_try(api) == shown
