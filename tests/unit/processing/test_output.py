"""A processor's output as JSON: what is kept as it is, and what is refused."""

import math
import warnings
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_serializer, model_serializer

from tandem.processing.output import BadOutput, dump_output
from tandem.tasks.retry import OwnFault

NAN, INFINITY = math.nan, math.inf


class Anything(BaseModel):
    value: Any = None


class Floats(BaseModel):
    number: float = 0
    numbers: list[float | None] = []
    pair: tuple[float, float] = (0, 0)
    by_name: dict[str, dict[int, float]] = {}
    each: set[float] = set()
    last: deque[float] = deque()


class InWords(Floats):
    """One that writes them as strings: JSON loses nothing."""

    model_config = ConfigDict(ser_json_inf_nan="strings")


class InJavaScript(Floats):
    """One that writes them as words that are no JSON."""

    model_config = ConfigDict(ser_json_inf_nan="constants")


class Named(BaseModel):
    number: float = Field(0, serialization_alias="the/num~ber")


class Parts(BaseModel):
    floats: Floats = Floats()
    words: InWords = InWords()
    text: str | None = None


class Raw(BaseModel):
    content: bytes = b""
    nothing: None = None


class Rounded(BaseModel):
    """One whose serializer takes NaN for nothing: that is its author's word."""

    number: float = 0

    @field_serializer("number")
    def rounded(self, number: float) -> float | None:
        return round(number, 2) if math.isfinite(number) else None


class Flat(BaseModel):
    """One that writes another shape than it has."""

    number: float = 0
    name: str | None = None

    @model_serializer
    def flat(self) -> list[Any]:
        return [self.name, self.number]


class Broken(BaseModel):
    number: float = 0

    @field_serializer("number")
    def broken(self, number: float) -> float:
        raise KeyError("SECRET")


class Numbers(RootModel[list[float]]):
    pass


class Number(RootModel[float]):
    pass


def dump(output: Any) -> bytes:
    return dump_output("work", output, type(output))


@pytest.mark.parametrize(
    ("output", "document"),
    [
        (Anything(value=[1, None, "ü", {"a": 1.5}]), b'{"value":[1,null,"\xc3\xbc",{"a":1.5}]}'),
        (Anything(value="NaN and null, to Infinity"), b'{"value":"NaN and null, to Infinity"}'),
        (Anything(value={"null": None, "NaN": 0.5}), b'{"value":{"null":null,"NaN":0.5}}'),
        (Anything(value=[None] * 3), b'{"value":[null,null,null]}'),
        (Anything(value=Decimal("NaN")), b'{"value":"NaN"}'),
        (Anything(value=datetime(2026, 1, 1, tzinfo=UTC)), b'{"value":"2026-01-01T00:00:00Z"}'),
        (Anything(value={"a", None}), None),
        (Named(number=1), b'{"the/num~ber":1.0}'),
        (Parts(words=InWords(number=NAN)), None),
        (InWords(number=-INFINITY, numbers=[NAN, None, 1], each={NAN, 1.0}), None),
        (InWords(by_name={"a": {1: NAN, 2: 0.5}}, pair=(NAN, 1), last=deque([NAN])), None),
        (Raw(content=b"null"), b'{"content":"null","nothing":null}'),
        (Rounded(number=NAN), b'{"number":null}'),
        (Flat(number=0.5), b"[null,0.5]"),
        (Numbers([1.5]), b"[1.5]"),
    ],
)
def test_what_json_can_hold_is_written_as_the_model_says(
    output: BaseModel, document: bytes | None
) -> None:
    if document is None:
        document = output.model_dump_json(by_alias=True).encode()
    assert dump(output) == document


@pytest.mark.parametrize("lost", [NAN, INFINITY, -INFINITY])
@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda lost: Floats(number=lost), "/number"),
        (lambda lost: Floats(numbers=[None, 1, lost]), "/numbers/2"),
        (lambda lost: Floats(pair=(0, lost)), "/pair/1"),
        (lambda lost: Floats(by_name={"a": {7: lost}}), "/by_name/a/7"),
        (lambda lost: Floats(each={1.0, lost, 2.0}), "/each/*"),
        (lambda lost: Floats(last=deque([0.0, lost])), "/last/1"),
        (lambda lost: InJavaScript(number=lost), "/number"),
        (lambda lost: InJavaScript(each={lost}), "/each/*"),
        (lambda lost: Named(number=lost), "/the~1num~0ber"),
        (lambda lost: Parts(floats=Floats(number=lost), text=None), "/floats/number"),
        (lambda lost: Anything(value={"a": [{"b": lost}]}), "/value/a/0/b"),
        (lambda lost: Anything(value=Floats(number=lost)), "/value/number"),
        (lambda lost: Anything(value={2.5: lost}), "/value/2.5"),
        (lambda lost: Flat(number=lost), "/1"),
        (lambda lost: Numbers([0, lost]), "/1"),
        (Number, "/"),
    ],
)
def test_a_float_that_json_would_lose_is_refused_with_its_place(
    make: Any, place: str, lost: float
) -> None:
    with pytest.raises(BadOutput) as refused:
        dump(make(lost))
    assert str(refused.value) == f"the output of work holds NaN or an infinity at {place}"


def cycle() -> dict[str, Any]:
    ring: dict[str, Any] = {}
    ring["SECRET"] = ring
    return ring


def deep() -> Any:
    value: Any = None
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "output",
    [
        Anything(value="SECRET \ud800"),
        Anything(value={"SECRET \udfff": 1}),
        Anything(value=object()),
        Anything(value=cycle()),
        Anything(value=deep()),
        Anything(value=complex),
        Raw(content=b"\xff SECRET"),
        Broken(number=1),
    ],
    ids=["value", "key", "object", "cycle", "deep", "class", "bytes", "serializer"],
)
def test_what_json_cannot_hold_is_refused_without_a_word_of_it(output: BaseModel) -> None:
    with pytest.raises(BadOutput) as refused:
        dump(output)
    assert str(refused.value).startswith("the output of work is no JSON: it ")
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("returned", [None, {"number": 1}, 1, Anything(), Floats, "text"])
def test_what_is_not_of_the_model_is_refused_by_its_type(returned: Any) -> None:
    with pytest.raises(BadOutput) as refused:
        dump_output("work", returned, Floats)
    assert str(refused.value) == (
        f"work returned {type(returned).__name__}, and should have Floats"
    )


def test_a_model_below_the_declared_one_is_taken() -> None:
    class More(Floats):
        more: int = 1

    assert b'"more":1' in dump_output("work", More(), Floats)


def test_pydantic_says_nothing_of_an_output_that_does_not_fit_its_model() -> None:
    output = Floats.model_construct(number="SECRET", numbers=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert b'"number":"SECRET"' in dump(output)


def test_an_output_is_written_once_when_it_holds_nothing_that_could_be_lost() -> None:
    written: list[str] = []

    class Counting(BaseModel):
        number: float = 1

        @field_serializer("number")
        def counted(self, number: float) -> float:
            written.append("number")
            return number

    dump(Counting())
    assert written == ["number"]


def test_a_fault_of_an_output_is_no_fault_of_the_caller() -> None:
    assert issubclass(BadOutput, OwnFault)


def test_a_generator_is_written_to_its_end() -> None:
    class Stream(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        numbers: Iterator[float]

    assert dump(Stream(numbers=iter([1.0, 2.0]))) == b'{"numbers":[1.0,2.0]}'
