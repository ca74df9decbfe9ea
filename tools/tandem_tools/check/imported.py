"""Prints what a function imports, step by step.

`tandem_tools.check.budget` runs it in a process of its own.
"""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

from tandem.lambda_events import LambdaContextStub, http_event, sqs_record

type Steps = dict[str, Callable[[], object]]


def modules() -> Iterator[str]:
    """Yield what is imported: of the standard library the packages alone, of the rest all."""
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if (
            sys.modules.get(name)
            and not top.startswith("_")
            and not name.startswith("tandem.testing")
        ):
            yield top if top in sys.stdlib_module_names else name


def api() -> Steps:
    """Start, answer GET /health, and run a task online, over doubles."""

    def start() -> None:
        import tandem.handlers.api  # noqa: F401 - to be imported

    def health() -> None:
        from tandem.handlers.api import handler

        right(handler(http_event("GET", "/health"), LambdaContextStub()))  # type: ignore[arg-type]

    def online() -> None:
        from tandem.http.app import create_app
        from tandem.http.lambda_handler import LambdaHandler
        from tandem.testing import MemoryWiring

        task = {"processor": "echo", "input": {"message": "hello"}}
        event = http_event("POST", "/process-online", task)
        right(LambdaHandler(create_app(MemoryWiring()))(event, LambdaContextStub()))  # type: ignore[arg-type]

    def right(answer: dict[str, object]) -> None:
        if answer["statusCode"] != 200:
            raise ValueError(answer)

    return {"import": start, "GET /health": health, "POST /process-online": online}


def worker() -> Steps:
    """Start, and look at a message of a task that is not there."""

    def start() -> None:
        import tandem.handlers.worker  # noqa: F401 - to be imported

    def work() -> None:
        from tandem.testing import MemoryWiring
        from tandem.worker.batch import run_batch

        wiring = MemoryWiring()
        record = sqs_record(json.dumps({"task_id": "019ab1e0-7c1d-7a52-8d3e-0b5a4c1f2e3d"}))
        until = wiring.clock.now() + timedelta(minutes=1)
        run_batch({"Records": [record]}, wiring, until=until)

    return {"import": start, "one message": work}


def callback() -> Steps:
    """Start."""

    def start() -> None:
        import tandem.handlers.callback  # noqa: F401 - to be imported

    return {"import": start}


def report() -> Steps:
    """Start, and run a tick."""

    def start() -> None:
        import tandem.handlers.report  # noqa: F401 - to be imported

    def tick() -> None:
        from tandem.testing import MemoryWiring

        wiring = MemoryWiring()
        wiring.sweep.run()
        wiring.reports.close_due(wiring.levels.read(swept=0))
        wiring.callbacks.sweep()

    return {"import": start, "first tick": tick}


def main(function: str, blocked: list[str]) -> None:
    """Print what each step imports that was not imported before, as JSON."""
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    known = set(modules())
    found = {}
    for name, step in {"api": api, "worker": worker, "callback": callback, "report": report}[
        function
    ]().items():
        step()
        found[name] = sorted(set(modules()) - known)
        known |= set(found[name])
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
