"""A batch of messages: which run when, which are deleted, and which come again."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from time import monotonic
from typing import Any

from tandem.aws.sqs_event import BatchAnswer, answer, read_deliveries
from tandem.aws.wiring import Wiring
from tandem.limits import SETTLE_SECONDS
from tandem.messages import Delivery, Inbox, Redeliver, hide
from tandem.processing.pool import BoundedPool
from tandem.tasks.attempt import Attempt
from tandem.telemetry import logger
from tandem.trace import described, trace_id
from tandem.worker.deliver import EndedElsewhere, MustRunAlone

_UNNOTICED_SECONDS = 1.0
"""A beat that is late by less says nothing: the process is busy."""


class Pulse:
    """Beats at an even pace, from one thread: what beats much too late did not run meanwhile.

    Code that holds the interpreter's lock stops all others of its process: a regular expression, a
    library in C.
    """

    def __init__(self, pace_seconds: float) -> None:
        self._pace_seconds = pace_seconds
        # One value, so that another thread never sees half of a beat.
        self._last = (monotonic(), 0.0)

    def start(self) -> None:
        """Beat, after a pause in which nobody was to beat."""
        self._last = (monotonic(), self._last[1])

    def beat(self) -> None:
        """Beat, and note how late that is."""
        now = monotonic()
        self._last = (now, self._stood_seconds(now))

    def stopwatch(self) -> Callable[[], timedelta]:
        """Return what tells for how long the process stood still since now."""
        before = self._stood_seconds(monotonic())
        return lambda: timedelta(seconds=self._stood_seconds(monotonic()) - before)

    def _stood_seconds(self, now: float) -> float:
        beat, stood_seconds = self._last
        since_seconds = now - beat
        stands = since_seconds > self._pace_seconds + _UNNOTICED_SECONDS
        return stood_seconds + (since_seconds if stands else 0)


_TO_BEGIN_SECONDS = 1.0
"""How long the rest of a batch waits for a claim at the most."""


@dataclass(slots=True, eq=False)
class Message:
    """A message of the batch, and the attempt that it has become."""

    delivery: Delivery
    pulse: Pulse
    attempt: Attempt | None = None
    alone: bool = False
    """Whether its task may be started now that must run alone."""
    begun: Event | None = None
    """Set when its attempt has started, where somebody waits for that."""

    def started(self, attempt: Attempt) -> None:
        """Note its attempt, and put the task on the log lines of this context."""
        attempt.time_taken = self.pulse.stopwatch()
        logger.thread_safe_append_keys(task_id=attempt.task.task_id)
        self.attempt = attempt
        if self.begun is not None:
            self.begun.set()

    def wait_until_begun(self, thread: "Future[None]") -> None:
        """Return when its attempt has started, or its thread has ended, or the table is slow."""
        begun = self.begun = Event()
        if self.attempt is None:
            thread.add_done_callback(lambda _: begun.set())
            begun.wait(_TO_BEGIN_SECONDS)


LEAST_TIME = timedelta(seconds=5)
"""With less than this left, a message goes back to the queue and costs no attempt."""

FRESH = timedelta(seconds=2)
"""A message that a thread took within this time has the function's whole time before it."""

ACKNOWLEDGE_EVERY = timedelta(seconds=1)
"""How long what has ended waits for the rest of its batch, before it is acknowledged alone."""

LAST_SECOND = timedelta(seconds=SETTLE_SECONDS - 1)
"""How long after the function's last moment for work an end may still be on its way."""

ELSEWHERE_RECEIVES = 4
"""So often a task that must run alone leaves an environment in which a thread was left behind: the
waits between are a minute together."""

FIRST_RECEIVES = 3
"""A message that was received so often begins before the rest of its batch. Under load the rest is
new each time, and would leave no time to run alone."""

_WATCH_SECONDS = 0.25

_TO_END_SECONDS = 0.1

_AT_ONCE = timedelta(0)


def run_batch(event: dict[str, Any], wiring: Wiring, *, until: datetime) -> BatchAnswer:
    """Run the messages of an SQS event until a time. Return those to be delivered again."""
    return answer(Batch(read_deliveries(event), wiring, until).run())


class Batch:
    """Messages that as many threads take in turn as the pool has.

    What has ended while others go on is acknowledged from here: it waits for none of them. A
    message whose attempt is past its deadline is ended from here too: its thread cannot be
    stopped, and is left behind with its pool. One that no thread took in time was never started.
    Tasks that must run alone are run at last, one after the other. Or at first, where nobody else
    has begun yet: the rest then goes back to the queue.
    Whoever watches asks no service itself: one that hangs would keep it from the rest.

    The threads share sets and lists by single operations, each of which Python does as a whole.
    """

    def __init__(self, deliveries: list[Delivery], wiring: Wiring, until: datetime) -> None:
        self._pulse = Pulse(_WATCH_SECONDS)
        messages = [Message(delivery, self._pulse) for delivery in deliveries]
        self._waiting = deque(messages)
        self._undecided = set(messages)
        self._open = set(messages)
        self._must_run_alone: deque[tuple[Message, MustRunAlone]] = deque()
        self._in_company = len(messages) > 1
        self._done: list[str] = []
        self._again: dict[Message, Delivery] = {}
        self._ending: set[Message] = set()
        self._beside = BoundedPool(len(messages) + 1)
        self._asked: set[Future[None]] = set()
        self._acknowledging: Future[None] | None = None
        self._wiring = wiring
        # Made before the threads: each that finds no part in the wiring would make one of its own.
        self._deliveries = wiring.deliveries
        self._until = until
        self._acknowledged_at = wiring.clock.now()
        # Reckoned once: each message asks.
        self._fresh_until = self._acknowledged_at + FRESH
        self._last_start = until - LEAST_TIME

    def run(self) -> list[Delivery]:
        """Run all messages and return those to be delivered again."""
        self._run_to_the_end(*self._begin_the_oldest())
        while self._must_run_alone:
            # What the others did is recorded, and their messages are gone: whatever this one does
            # to the process, it does to itself.
            self._wait_for_acknowledgement()
            self._in_company = False
            message, marked = self._next_alone()
            self._open.add(message)
            if self._out_of_time_for(marked) or self._better_elsewhere(message):
                self._end_beside(message, Redeliver(task=marked.task))
            else:
                message.alone = True
                self._hide_those_behind(marked.time_limit)
                self._waiting.append(message)
            self._run_to_the_end()
        self._beside.replace()
        return list(self._again.values())

    def _begin_the_oldest(self) -> "tuple[Future[None], ...]":
        """Begin a message that has come back again and again before the others. Return its thread.

        Where its task must run alone, it does so: the others go back at once.
        """
        if not self._in_company:
            return ()
        receives = [message.delivery.receive_count for message in self._waiting]
        if max(receives) < FIRST_RECEIVES:
            return ()
        oldest = self._waiting[receives.index(max(receives))]
        others = [message for message in self._waiting if message is not oldest]
        self._waiting = deque([oldest])
        thread = self._wiring.pool.submit(self._work_through)
        oldest.wait_until_begun(thread)
        if self._must_run_alone and not self._better_elsewhere(oldest):
            for message in others:
                self._end_beside(message, Redeliver(_AT_ONCE))
        else:
            self._waiting.extend(others)
        return (thread,)

    def _next_alone(self) -> "tuple[Message, MustRunAlone]":
        """Take the task out that the fewest crashes make suspicious."""
        following = min(self._must_run_alone, key=lambda marked: marked[1].task.crashes)
        self._must_run_alone.remove(following)
        return following

    def _out_of_time_for(self, marked: MustRunAlone) -> bool:
        now = self._wiring.clock.now()
        return now + marked.time_limit > self._until and now >= self._fresh_until

    def _better_elsewhere(self, message: Message) -> bool:
        """Return whether a task is not quite alone here: what was left behind may end the process.

        Where all environments are so, it runs in one of them in the end.
        """
        left_behind = self._wiring.pool.left_behind > 0
        return left_behind and message.delivery.receive_count <= ELSEWHERE_RECEIVES

    def _hide_those_behind(self, limit: timedelta) -> None:
        """Let the messages behind a task that may end the process be hidden for no longer than it.

        Else they would stay away for the queue's visibility timeout, which is many minutes.
        """
        hiding = [
            self._beside.submit(partial(self._hide, message, limit))
            for message, _ in self._must_run_alone
        ]
        wait(hiding, timeout=self._seconds_left)

    def _hide(self, message: Message, limit: timedelta) -> None:
        hide(self._wiring.inbox, message.delivery, limit + LEAST_TIME, logger)

    @property
    def _seconds_left(self) -> float:
        return max((self._until - self._wiring.clock.now()).total_seconds(), 0)

    def _run_to_the_end(self, *begun: "Future[None]") -> None:
        """Run the messages that wait, beside what was begun, until each has ended."""
        self._pulse.start()
        threads = min(len(self._waiting), self._wiring.pool.size)
        running = {self._wiring.pool.submit(self._work_through) for _ in range(threads)}
        running.update(begun)
        while self._open:
            ended, _ = wait(running | self._asked, timeout=_WATCH_SECONDS)
            self._pulse.beat()
            for thread in ended:
                thread.result()
            running -= ended
            self._asked -= ended
            self._watch()
        # A thread that has ended its last message is not stuck, and takes no time to end itself.
        if wait(running, timeout=_TO_END_SECONDS).not_done:
            self._wiring.pool.replace()

    def _work_through(self) -> None:
        """Run one message after the other, each in a context of its own."""
        while True:
            try:
                message = self._waiting.popleft()
            except IndexError:
                return
            if message in self._open:
                copy_context().run(self._see_through, message)

    def _handle(self, message: Message) -> None:
        now = self._wiring.clock.now()
        if now > self._last_start:
            raise Redeliver(_AT_ONCE)
        self._deliveries.handle(
            message.delivery,
            until=self._until,
            fresh=now < self._fresh_until,
            alone=message.alone or not (self._in_company or self._wiring.pool.left_behind),
            in_company=self._in_company or self._wiring.pool.left_behind > 0,
            started=message.started,
        )

    def _see_through(self, message: Message, overdue: Attempt | None = None) -> None:
        """Handle a message, or end its overdue attempt. Note whether it must be delivered again."""
        delivery = message.delivery
        logger.thread_safe_append_keys(
            message_id=delivery.message_id, correlation_id=trace_id(delivery.traceparent)
        )
        try:
            if overdue is None:
                self._handle(message)
            else:
                self._deliveries.time_out(overdue)
        except EndedElsewhere:
            return
        except MustRunAlone as marked:
            self._hide(message, marked.time_limit)
            self._must_run_alone.append((message, marked))
            self._open.discard(message)
        except Redeliver as again:
            self._end(message, again)
        except Exception as error:  # noqa: BLE001 - one message's failure is not its batch's
            logger.error("message failed", **described(error))
            self._end(message, Redeliver())
        else:
            self._end(message, None)

    def _end(self, message: Message, again: Redeliver | None) -> None:
        """Note how a message ended. What its thread does afterwards changes nothing."""
        try:
            self._undecided.remove(message)
        except KeyError:
            return
        if again is None:
            self._done.append(message.delivery.receipt_handle)
        else:
            # First of all: a queue that hangs below would leave it out of the answer: deleted.
            self._again[message] = message.delivery
            if self._deliveries.redeliver(message.delivery, again):
                del self._again[message]
                self._done.append(message.delivery.receipt_handle)
        self._open.discard(message)

    def _watch(self) -> None:
        """See to the messages that have not ended."""
        for message in tuple(self._open):
            self._see_to(message)
        if self._open and self._wiring.clock.now() - self._acknowledged_at >= ACKNOWLEDGE_EVERY:
            self._acknowledge()

    def _see_to(self, message: Message) -> None:
        """End what is out of time."""
        attempt = message.attempt
        if self._wiring.clock.now() >= self._until + LAST_SECOND:
            self._give_up(message)
        elif message in self._ending:
            return
        elif attempt is None:
            if self._wiring.clock.now() >= self._until:
                self._end_beside(message, Redeliver(_AT_ONCE))
        elif attempt.overdue and attempt.close():
            self._ending.add(message)
            self._asked.add(self._beside.submit(partial(self._see_through, message, attempt)))

    def _end_beside(self, message: Message, again: Redeliver) -> None:
        """End a message on a thread of its own: its queue may not answer."""
        self._ending.add(message)
        self._asked.add(self._beside.submit(partial(self._end, message, again)))

    def _give_up(self, message: Message) -> None:
        """Answer that a message comes again whose end is not recorded: its service hangs."""
        if message in self._undecided:
            self._undecided.discard(message)
            self._again[message] = message.delivery
        self._open.discard(message)

    def _acknowledge(self) -> None:
        """Delete what is done with, unless that is under way. What is left, the answer deletes."""
        if self._acknowledging is not None and not self._acknowledging.done():
            return
        self._acknowledged_at = self._wiring.clock.now()
        done, self._done = self._done, []
        self._acknowledging = self._beside.submit(partial(delete, self._wiring.inbox, done))

    def _wait_for_acknowledgement(self) -> None:
        """Delete what is done with, and wait for that as long as there is time."""
        for _ in range(2):
            self._acknowledge()
            if self._acknowledging is not None:
                wait({self._acknowledging}, timeout=self._seconds_left)


def delete(inbox: Inbox, done: list[str]) -> None:
    """Delete messages, or only log that they were not: the answer deletes them once more."""
    try:
        lost = inbox.acknowledge(*done) if done else 0
    except Exception as error:  # noqa: BLE001 - the answer acknowledges them once more
        logger.warning("not acknowledged", messages=len(done), **described(error))
    else:
        if lost:
            logger.warning("not acknowledged", messages=lost)
