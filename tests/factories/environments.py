"""Execution environments of the worker, each a process of its own, over doubles that they share.

The doubles are in the test's process. An environment asks for them over a pipe, so that it may die
at any moment and take nothing with it. Its clock is the real one, and as far ahead as the test's.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from tandem.clock import whole_milliseconds
from tandem.lambda_events import sqs_record
from tandem.processing.catalogue import Catalogue
from tandem.tasks.task import Task
from tandem.testing import MemoryWiring, Message
from tandem.worker.batch import run_batch

_PORTS = ("store", "queue", "blobs", "result_cache")
_BATCH = 10
_PATIENCE_SECONDS = 30

_processes = get_context("forkserver")
_processes.set_forkserver_preload(["tests.factories.environments", "tests.factories.neighbours"])


@dataclass
class AheadClock:
    """The real time, and what the test went ahead of it."""

    ahead: timedelta = field(default=timedelta(0))

    def now(self) -> datetime:
        return whole_milliseconds(datetime.now(UTC) + self.ahead)

    def advance(self, by: timedelta | float) -> datetime:
        self.ahead += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self.now()


class Remote:
    """A port that is in another process."""

    def __init__(self, port: str, pipe: Connection, lock: Lock) -> None:
        self._port = port
        self._pipe = pipe
        self._lock = lock

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self._pipe.send((self._port, name, arguments, options))
                returned, error = self._pipe.recv()
            if error is not None:
                kind, fields, parts = error
                # An error need not be made of its arguments, as pickle would make it.
                raised = kind.__new__(kind, *parts)
                vars(raised).update(fields)
                raise raised
            return returned

        return call


def _serve(
    pipe: Connection, log: str, catalogue: Callable[[], Catalogue], ahead: timedelta, event: Any
) -> None:
    """Run one batch, as an environment does, and answer with what comes again."""
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(written, 1)
    os.dup2(written, 2)
    wiring = MemoryWiring(clock=AheadClock(ahead), catalogue=catalogue())
    lock = Lock()
    for port in _PORTS:
        vars(wiring)[port] = Remote(port, pipe, lock)
    vars(wiring)["inbox"] = Remote("queue", pipe, lock)
    until = wiring.clock.now() + timedelta(seconds=117)
    answer = run_batch(event, wiring, until=until)
    with lock:
        pipe.send(("answer", "", (answer,), {}))
    # What hangs is frozen with the environment: nobody waits for it.
    os._exit(0)


class Account:
    """The queue, the table, an event source mapping, and a sweep each minute."""

    def __init__(self, catalogue: Callable[[], Catalogue], folder: Path) -> None:
        self.clock = AheadClock()
        self.wiring = MemoryWiring(clock=self.clock, catalogue=catalogue())
        self.log = folder / "log"
        self.died = 0
        self._catalogue = catalogue

    @property
    def tasks(self) -> list[Task]:
        """The tasks as they are."""
        return list(self.wiring.store.tasks.values())

    def until_all_end(self, *, minutes: int = 120) -> None:
        """Go on, minute after minute, until each task has ended and no message is left."""
        for _ in range(minutes):
            self.minute()
            if all(task.state.final for task in self.tasks) and not self.wiring.queue.messages:
                return

    def minute(self) -> None:
        """Run what is visible, then sweep, and let a minute pass."""
        messages = self.wiring.queue.receive()
        for start in range(0, len(messages), _BATCH):
            self.invoke(messages[start : start + _BATCH])
        self.wiring.sweep.run()
        self.clock.advance(60)

    def invoke(self, messages: list[Message]) -> None:
        """Run a batch in an environment of its own; one that dies gives no message back."""
        ours, theirs = _processes.Pipe()
        records = [
            sqs_record(
                message.body, message_id=message.message_id, receive_count=message.receive_count
            )
            for message in messages
        ]
        environment = _processes.Process(
            target=_serve,
            args=(theirs, str(self.log), self._catalogue, self.clock.ahead, {"Records": records}),
        )
        environment.start()
        theirs.close()
        answer = self._answer(ours)
        environment.join(_PATIENCE_SECONDS)
        assert environment.exitcode is not None, "the environment hangs"
        if answer is None:
            self.died += 1
            return
        again = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        for message in messages:
            if message.message_id not in again:
                self.wiring.queue.delete(message)

    def _answer(self, pipe: Connection) -> Any:
        """Serve the doubles until the environment answers; return None when it died."""
        while True:
            assert pipe.poll(_PATIENCE_SECONDS), "the environment hangs"
            try:
                port, name, arguments, options = pipe.recv()
            except (EOFError, ConnectionResetError):
                return None
            if port == "answer":
                return arguments[0]
            try:
                reply = getattr(getattr(self.wiring, port), name)(*arguments, **options), None
            except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
                reply = None, (type(error), vars(error), error.args)
            try:
                pipe.send(reply)
            except BrokenPipeError:
                return None
