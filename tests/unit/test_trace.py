from typing import Any

import pytest

from tandem.trace import continued, described, trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_a_callers_trace_is_continued_with_a_span_of_our_own() -> None:
    ours = continued(PARENT, XRAY)
    assert trace_id(ours) == TRACE
    assert ours != PARENT


def test_else_the_trace_that_lambda_started_is_continued() -> None:
    assert trace_id(continued(None, XRAY)) == "5759e988bd862e3fe1be46a994272793"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"{PARENT}\nx",
    ],
)
def test_a_header_that_is_not_valid_starts_a_new_trace(header: str) -> None:
    first, second = trace_id(continued(header, None)), trace_id(continued(header, None))
    assert first is not None
    assert TRACE not in {first, second}
    assert first != second


def test_of_an_error_its_class_code_and_place_are_told_and_not_its_text() -> None:
    class Refused(Exception):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.response = {"Error": {"Code": "AccessDeniedException", "Message": text}}

    told = described(Refused("SECRET"))
    assert told == {"error_type": "Refused", "error_code": "AccessDeniedException", "stack": []}
    assert "error_code" not in described(ValueError("SECRET"))


def test_of_a_stack_without_end_its_two_ends_are_told() -> None:
    def deeper(depth: int) -> None:
        if depth == 0:
            raise ValueError
        deeper(depth - 1)

    def stack_at(depth: int) -> list[str]:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no text
            deeper(depth)
        told: list[str] = described(caught.value)["stack"]
        return told

    assert len(stack_at(38)) == 40
    whole, cut = stack_at(0), stack_at(500)
    assert len(cut) == 41
    assert cut[10] == "462 more"
    assert (cut[0], cut[-1]) == (whole[0], whole[-1])


@pytest.mark.parametrize("response", [{"Error": "SECRET"}, {"Error": {"Code": "SECRET text"}}, 1])
def test_an_error_of_any_library_can_be_described(response: Any) -> None:
    error = ValueError("SECRET")
    error.response = response  # type: ignore[attr-defined]
    assert described(error) == {"error_type": "ValueError", "stack": []}
