"""A question about a table, and its right answer: for the processors and for the stack."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

type Json = dict[str, Any]
type Content = bytes | Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a processor made of a table: an output and perhaps a file, or why it refused."""

    output: Json = field(default_factory=dict)
    file: bytes = b""
    refused: str = ""


def read_output(document: bytes | str) -> Json:
    """Return an output with all digits of its numbers, those with decimals as text.

    A decimal may come as a number or as text.
    """
    output: Json = json.loads(document, parse_float=lambda digits: _written(Decimal(digits)))
    return output


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Files, a question and the right answer."""

    files: dict[str, tuple[str, Content]]
    """The name and the content of each table's file; one alone is `data`."""
    processor: str
    asked: Json
    """The input beside the uploads."""
    seen: Callable[[Outcome], Any]
    """What of the outcome is compared."""
    right: Any

    def uploads(self) -> dict[str, tuple[str, bytes]]:
        """Return the name and the content of each file, by the tables' names."""
        return {
            table: (file, content if isinstance(content, bytes) else content())
            for table, (file, content) in self.files.items()
        }

    def input(self, upload_ids: dict[str, str]) -> Json:
        """Return the processor's input, given the ids of the uploads by the tables' names."""
        if upload_ids.keys() == {"data"}:
            return self.asked | {"upload": upload_ids["data"]}
        return self.asked | {"uploads": upload_ids}


def summary(
    file: str, content: Content, rows: int, columns: dict[str, Json], **options: Any
) -> Case:
    """Return a case of `summarize-table`: the rows, the columns' names, and figures of some."""

    def seen(outcome: Outcome) -> Any:
        if outcome.refused:
            return outcome.refused
        figures = {
            one["name"]: {name: one.get(name) for name in columns.get(one["name"], {})}
            for one in outcome.output["columns"]
        }
        return outcome.output["rows"], figures

    return Case(
        files={"data": (file, content)},
        processor="summarize-table",
        asked=_options(options),
        seen=seen,
        right=(rows, columns),
    )


def top(file: str, content: Content, column: str, right: Sequence[tuple[str, int]]) -> Case:
    """Return a case of `summarize-table`: the most frequent values of a column."""

    def seen(outcome: Outcome) -> Any:
        if outcome.refused:
            return outcome.refused
        [found] = [one for one in outcome.output["columns"] if one["name"] == column]
        return [(one["value"], one["count"]) for one in found["top"]]

    return Case(
        files={"data": (file, content)},
        processor="summarize-table",
        asked={},
        seen=seen,
        right=list(right),
    )


def warning(file: str, content: Content, *words: str) -> Case:
    """Return a case of `summarize-table` that warns in these words; missing ones are seen."""

    def seen(outcome: Outcome) -> Any:
        if outcome.refused:
            return outcome.refused
        said = " ".join(outcome.output["assumed"]["warnings"])
        return [word for word in words if word not in said]

    return Case(
        files={"data": (file, content)},
        processor="summarize-table",
        asked={},
        seen=seen,
        right=[],
    )


def query(
    file: str, content: Content, sql: str, rows: Sequence[Sequence[Any]], **options: Any
) -> Case:
    """Return a case of `query-table`: its rows."""
    return Case(
        files={"data": (file, content)},
        processor="query-table",
        asked={"sql": sql} | _options(options),
        seen=lambda outcome: outcome.refused or outcome.output["rows"],
        right=[list(row) for row in rows],
    )


def joined(files: dict[str, tuple[str, Content]], sql: str, rows: Sequence[Sequence[Any]]) -> Case:
    """Return a case of `query-table` over several tables: its rows."""
    return Case(
        files=files,
        processor="query-table",
        asked={"sql": sql},
        seen=lambda outcome: outcome.refused or outcome.output["rows"],
        right=[list(row) for row in rows],
    )


def answer_file(file: str, content: Content, sql: str, to: str, right: str) -> Case:
    """Return a case of `query-table` whose result is a file of text."""
    return Case(
        files={"data": (file, content)},
        processor="query-table",
        asked={"sql": sql, "to": to},
        seen=lambda outcome: outcome.refused or outcome.file.decode(),
        right=right,
    )


def conversion(
    file: str,
    content: Content,
    to: str,
    right: Any,
    seen: Callable[[bytes], Any] = bytes.decode,
    **options: Any,
) -> Case:
    """Return a case of `convert-table`: the file that it writes, or what is seen of it."""
    return Case(
        files={"data": (file, content)},
        processor="convert-table",
        asked={"to": to} | _options(options),
        seen=lambda outcome: outcome.refused or seen(outcome.file),
        right=right,
    )


def refusal(
    file: str, content: Content, *words: str, processor: str = "summarize-table", **asked: Any
) -> Case:
    """Return a case that is refused in these words; missing ones are seen."""
    return Case(
        files={"data": (file, content)},
        processor=processor,
        asked=asked,
        seen=lambda outcome: (
            [word for word in words if word not in outcome.refused]
            if outcome.refused
            else "it is read"
        ),
        right=[],
    )


def _options(options: Json) -> Json:
    return {"options": options} if options else {}


def _written(number: Decimal) -> str:
    """Return a number's shortest form, without an exponent where it has decimals."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
