import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest

from tandem.callbacks.callback import Callback, CallbackState, GivenUp, WaitingCallback
from tandem.callbacks.deliveries import LONGEST
from tandem.callbacks.letters import CallbackLetters
from tandem.callbacks.ports import AddressForbidden, Answered, Unreachable
from tandem.callbacks.signing import key_text
from tandem.dead_letters.letters import Letter, LetterFilter, Redrive, Request
from tandem.ids import TaskId
from tandem.limits import ERROR_CHARACTERS
from tandem.messages import Envelope, Redeliver
from tandem.secrets import SecretsError
from tandem.tasks.task import State, Task
from tandem.testing import FakeClock, MemorySecretStore, MemoryWiring
from tandem.testing.wiring import CALLBACK_KEY
from tandem_tools.harness.tasks import ACME
from tests.factories.deliveries import deliver_all, deliver_callbacks, delivery_of
from tests.factories.processors import double, make_wiring, new_work

HOOK = "https://hooks.example.com/tandem?token=in-the-url"
ATTEMPTS = 7

REDRIVE = Request(limit=10, dry_run=False, requested_by="ops", traceparent="00-1")
DRY_RUN = replace(REDRIVE, dry_run=True)


class World:
    """A task that has succeeded, and whose callback is in the queue."""

    def __init__(self) -> None:
        self.wiring: MemoryWiring = make_wiring(double)
        assert isinstance(self.wiring.clock, FakeClock)
        self.clock = self.wiring.clock
        self.task = self.ended_task()

    def ended_task(self) -> Task:
        submitted = self.wiring.submissions.offline(new_work(self.wiring, callback_url=HOOK))
        deliver_all(self.wiring)
        return self.wiring.store.tasks[submitted.task_id]

    @property
    def callback(self) -> Callback:
        callback = self.wiring.store.tasks[self.task.task_id].callback
        assert callback is not None
        return callback

    def answers(self, *answers: Answered | Exception) -> None:
        self.wiring.callback_sender.answers = list(answers)

    def deliver_until_done(self) -> list[timedelta]:
        """Deliver until nothing is left in the queue, and return the waits between attempts."""
        waits = []
        while not all(deliver_callbacks(self.wiring)):
            (message,) = self.wiring.callback_queue.messages.values()
            waits.append(message.visible_at - self.clock.now())
            self.clock.advance(waits[-1] + timedelta(milliseconds=1))
        assert self.wiring.callback_queue.messages == {}
        return waits

    @property
    def letters(self) -> CallbackLetters:
        return self.wiring.callback_letters

    def redrive(self, request: Request = REDRIVE, **wanted: Any) -> list[Redrive]:
        return [one.done for one in self.letters.redrive(LetterFilter(**wanted), request).letters]

    def listed(self) -> list[Letter]:
        return self.letters.peek(10).letters

    def give_up(self) -> None:
        """Let the receiver say that it takes none any more."""
        self.answers(Answered(410))
        assert deliver_callbacks(self.wiring) == [True]

    @property
    def letter(self) -> tuple[str, str]:
        (letter,) = self.listed()
        assert letter.task_id == self.task.task_id
        assert letter.message is None
        assert letter.since == self.clock.now()
        return letter.reason, letter.error


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    "retry_after",
    ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 1 Jan 99999999999999999999 00:00:00 GMT", "9" * 9000],
    ids=lambda text: text[:40],
)
def test_no_retry_after_brings_a_callback_out_of_its_policy(world: World, retry_after: str) -> None:
    world.answers(*[Answered(503, retry_after)] * ATTEMPTS)
    waits = world.deliver_until_done()
    assert len(world.wiring.callback_sender.posts) == ATTEMPTS
    assert max(waits) <= LONGEST
    assert (world.callback.state, world.callback.attempts) == (CallbackState.FAILED, ATTEMPTS)
    assert world.letter == ("attempts-exhausted", "it answered 503")


def test_whatever_a_receiver_is_refused_for_can_be_stored(world: World) -> None:
    world.answers(Unreachable("a\x00\ud800" + "x" * 5000))
    assert deliver_callbacks(world.wiring) == [False]
    assert world.callback.error == "a\ufffd\ufffd" + "x" * (ERROR_CHARACTERS - 3)


def test_the_end_of_a_task_is_posted_once_and_says_what_the_task_is(world: World) -> None:
    assert deliver_callbacks(world.wiring) == [True]
    (post,) = world.wiring.callback_sender.posts
    assert (post.url.host, post.url.target) == ("hooks.example.com", "/tandem?token=in-the-url")
    event = json.loads(post.body)
    assert event["type"] == "task.succeeded"
    assert event["timestamp"] == event["data"]["finished_at"]
    assert event["data"]["task_id"] == post.headers["webhook-id"] == world.task.task_id
    assert event["data"]["links"]["result"] == f"/tasks/{world.task.task_id}/result"
    assert "output" not in event["data"]  # it is fetched, with a token
    assert (world.callback.state, world.callback.attempts) == (CallbackState.DELIVERED, 1)
    assert world.callback.delivered_at == world.clock.now()


def test_a_task_without_a_callback_sends_nothing() -> None:
    wiring = make_wiring(double)
    wiring.submissions.offline(new_work(wiring))
    deliver_all(wiring)
    assert wiring.callback_queue.messages == {}


def test_nothing_is_sent_before_the_end(world: World) -> None:
    task = world.wiring.submissions.offline(new_work(world.wiring, callback_url=HOOK))
    assert len(world.wiring.callback_queue.messages) == 1
    world.wiring.tasks.cancel(ACME, task.task_id)
    assert len(world.wiring.callback_queue.messages) == 2


def test_each_attempt_has_the_same_id_and_body_and_a_time_of_its_own(world: World) -> None:
    world.answers(Answered(500))
    world.deliver_until_done()
    first, second = world.wiring.callback_sender.posts
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    waited = int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"])
    assert waited >= 5
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize(
    "answer",
    [Answered(500), Answered(404), Answered(301), Answered(199), Unreachable("no answer")],
    ids=str,
)
def test_what_was_not_taken_is_sent_again_later_and_later_then_is_given_up(
    world: World, answer: Answered | Exception
) -> None:
    world.answers(*[answer] * 100)
    waits = world.deliver_until_done()
    assert len(world.wiring.callback_sender.posts) == ATTEMPTS
    assert waits == sorted(waits)
    assert sum(waits, timedelta()) > timedelta(hours=12)
    why = str(answer) if isinstance(answer, Exception) else f"it answered {answer.status}"
    assert world.letter == ("attempts-exhausted", why)
    assert world.callback == Callback(
        url=HOOK,
        state=CallbackState.FAILED,
        attempts=ATTEMPTS,
        failed_at=world.clock.now(),
        reason=GivenUp.ATTEMPTS_EXHAUSTED,
        error=why,
    )
    assert world.wiring.callback_queue.dead_letters == []


def test_a_callback_that_is_taken_at_last_shows_no_error(world: World) -> None:
    world.answers(Answered(500))
    assert deliver_callbacks(world.wiring) == [False]
    assert (world.callback.state, world.callback.error) == (
        CallbackState.PENDING,
        "it answered 500",
    )
    world.clock.advance(60)
    world.deliver_until_done()
    assert (world.callback.state, world.callback.attempts) == (CallbackState.DELIVERED, 2)
    assert world.callback.error is None


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        (Answered(410), ("gone", "it answered 410")),
        (
            AddressForbidden("its name has the address 10.0.0.1"),
            ("forbidden-address", "its name has the address 10.0.0.1"),
        ),
    ],
)
def test_what_can_never_be_taken_is_given_up_at_once(
    world: World, answer: Answered | Exception, letter: tuple[str, str]
) -> None:
    world.answers(answer)
    assert deliver_callbacks(world.wiring) == [True]
    assert world.letter == letter
    assert (world.callback.state, world.callback.attempts) == (CallbackState.FAILED, 1)


def test_a_url_that_is_no_longer_allowed_is_not_called() -> None:
    world = World()
    wiring = world.wiring
    new = new_work(wiring, callback_url="https://10.1.2.3/")
    wiring.callback_queue.messages.clear()
    wiring.submissions.offline(new)
    deliver_all(wiring)
    deliver_callbacks(wiring)
    assert wiring.callback_sender.posts == []
    (letter,) = wiring.callback_letters.peek(10).letters
    assert letter.reason == "forbidden-address"


def test_a_receiver_that_asks_for_time_is_left_alone_for_so_long(world: World) -> None:
    world.answers(Answered(429, retry_after="7200"), Answered(503, retry_after="1"))
    first, second = world.deliver_until_done()
    assert first == timedelta(hours=2)
    assert second >= timedelta(minutes=5)


def test_a_duplicate_message_of_a_delivered_callback_sends_nothing(world: World) -> None:
    message = world.wiring.callback_queue.send_text(json.dumps({"task_id": world.task.task_id}))
    deliver_callbacks(world.wiring)
    assert message.message_id not in world.wiring.callback_queue.messages
    assert len(world.wiring.callback_sender.posts) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("hello", "unparsable"),
        ('{"task_id":"019b796d-d600-7105-a825-21d610a3f823"}', "unknown-task"),
    ],
)
def test_a_message_without_a_callback_is_a_dead_letter(
    world: World, body: str, reason: str
) -> None:
    world.wiring.callback_queue.messages.clear()
    world.wiring.callback_queue.send_text(body)
    assert deliver_callbacks(world.wiring) == [True]
    (letter,) = world.wiring.callback_queue.dead_letters
    assert letter.attributes["reason"] == reason


def test_a_running_task_has_no_callback_to_send(world: World) -> None:
    task = world.wiring.submissions.offline(new_work(world.wiring, callback_url=HOOK))
    world.wiring.callback_queue.messages.clear()
    world.wiring.callback_queue.send_text(json.dumps({"task_id": task.task_id}))
    deliver_callbacks(world.wiring)
    (letter,) = world.wiring.callback_queue.dead_letters
    assert letter.attributes["reason"] == "no-callback"
    assert world.wiring.callback_sender.posts == []


def test_without_its_key_nothing_is_sent_and_no_attempt_is_lost(world: World) -> None:
    world.wiring.secrets._versions.clear()
    with pytest.raises(SecretsError, match=CALLBACK_KEY):
        deliver_callbacks(world.wiring)
    assert world.callback.attempts == 0
    assert world.wiring.callback_sender.posts == []


def test_after_a_rotation_both_keys_sign(world: World) -> None:
    (before,) = world.wiring.webhook_keys.of(ACME)
    world.wiring.secrets.rotate(CALLBACK_KEY, "another-secret")
    deliver_callbacks(world.wiring)
    (post,) = world.wiring.callback_sender.posts
    assert len(post.headers["webhook-signature"].split(" ")) == 2
    now, still = world.wiring.webhook_keys.of(ACME)
    assert (still == before, now == before) == (True, False)
    world.wiring.secrets.rotate(CALLBACK_KEY, "a-third-secret")
    assert before not in world.wiring.webhook_keys.of(ACME)


def test_a_redriven_callback_starts_again(world: World) -> None:
    world.answers(*[Answered(500)] * ATTEMPTS)
    world.deliver_until_done()
    assert world.redrive(DRY_RUN) == [Redrive.SENT_AGAIN]
    assert world.redrive() == [Redrive.SENT_AGAIN]
    assert world.callback == Callback(url=HOOK)
    assert world.listed() == []
    assert deliver_callbacks(world.wiring) == [True]
    assert (world.callback.state, world.callback.attempts) == (CallbackState.DELIVERED, 1)


def test_a_dry_run_leaves_a_callback_on_the_list(world: World) -> None:
    world.give_up()
    assert world.redrive(DRY_RUN) == [Redrive.SENT_AGAIN]
    assert world.letter == ("gone", "it answered 410")
    assert world.wiring.callback_queue.messages == {}


def test_a_message_of_a_callback_that_was_given_up_sends_nothing(world: World) -> None:
    world.give_up()
    world.wiring.callback_queue.send_text(json.dumps({"task_id": world.task.task_id}))
    assert deliver_callbacks(world.wiring) == [True]
    assert len(world.wiring.callback_sender.posts) == 1
    assert world.letter == ("gone", "it answered 410")


def test_of_several_redrives_one_sends_a_callback_again(world: World) -> None:
    world.give_up()
    task_ids = (world.task.task_id,)
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(world.redrive, task_ids=task_ids) for _ in range(8)]
        done = [one for run in runs for one in run.result()]
    assert sorted(done) == [Redrive.ALREADY] * 7 + [Redrive.SENT_AGAIN]
    assert len(world.wiring.callback_queue.messages) == 1


def test_a_delivered_callback_is_not_sent_again_by_its_tasks_id(world: World) -> None:
    deliver_callbacks(world.wiring)
    assert world.redrive(task_ids=(world.task.task_id,)) == [Redrive.SETTLED]
    assert world.callback.state is CallbackState.DELIVERED
    assert world.wiring.callback_queue.messages == {}


def test_a_task_that_has_no_callback_is_not_spoken_of(world: World) -> None:
    bare = world.wiring.submissions.offline(new_work(world.wiring))
    deliver_all(world.wiring)
    assert world.redrive(task_ids=(bare.task_id,)) == []


def test_callbacks_are_listed_page_by_page_in_the_order_of_their_tasks_ends(world: World) -> None:
    tasks = [world.task]
    for _ in range(4):
        world.clock.advance(1)
        tasks.append(world.ended_task())
    world.answers(*[Answered(410)] * 5)
    deliver_callbacks(world.wiring)
    first = world.letters.peek(3)
    second = world.letters.peek(3, first.next_cursor)
    listed = [letter.task_id for letter in (*first.letters, *second.letters)]
    assert listed == [task.task_id for task in tasks]
    assert second.next_cursor is None


def test_a_reason_chooses_which_callbacks_are_sent_again(world: World) -> None:
    world.give_up()
    assert world.redrive(reason="attempts-exhausted") == []
    assert world.redrive(reason="gone") == [Redrive.SENT_AGAIN]


def test_a_store_that_fails_for_one_callback_is_an_error_of_that_one(
    world: World, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    world.give_up()

    def fail(*_: object) -> bool:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(world.wiring.callback_store, "reopen", fail)
        assert world.redrive() == [Redrive.ERROR]
    assert "not redriven" in log.getvalue()
    assert world.redrive() == [Redrive.SENT_AGAIN]


def test_a_late_attempt_does_not_give_up_a_callback_that_was_redriven(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = world.wiring.callback_queue.receive()

    def meanwhile(*_: object) -> Answered:
        """Give the callback up by a duplicate of the message, and redrive it."""
        monkeypatch.undo()
        world.wiring.callback_queue.send_text(message.body)
        world.give_up()
        world.redrive()
        return Answered(410)

    monkeypatch.setattr(world.wiring.callback_sender, "post", meanwhile)
    with pytest.raises(Redeliver):
        world.wiring.callback_deliveries.handle(delivery_of(message))
    assert world.callback == Callback(url=HOOK)
    assert world.listed() == []


def test_a_letter_without_a_callback_is_kept(world: World) -> None:
    world.wiring.callback_queue.send_text("hello")
    deliver_callbacks(world.wiring)
    assert world.redrive() == [Redrive.KEPT]
    assert len(world.wiring.callback_queue.dead_letters) == 1


def test_a_message_that_no_handler_was_given_stands_beside_the_list(world: World) -> None:
    world.give_up()
    late = world.ended_task()
    world.wiring.callback_queue.messages.clear()
    unhandled(world, late)
    listed, message = world.listed()
    assert (listed.message, message.reason) == (None, "unhandled")
    assert message.message is not None
    letter_ids = frozenset({message.message.letter_id})
    assert world.redrive(letter_ids=letter_ids) == [Redrive.SENT_AGAIN]
    assert deliver_callbacks(world.wiring) == [True]
    assert world.wiring.callback_queue.dead_letters == []
    assert [letter.task_id for letter in world.listed()] == [world.task.task_id]


def test_a_message_of_a_delivered_callback_is_removed(world: World) -> None:
    deliver_callbacks(world.wiring)
    unhandled(world, world.task)
    assert world.redrive() == [Redrive.SETTLED]
    assert world.wiring.callback_queue.dead_letters == []


def unhandled(world: World, task: Task) -> None:
    """Let SQS give up a callback's message."""
    world.wiring.callback_queue.dead_letter(
        json.dumps({"task_id": task.task_id}),
        message_id="message",
        reason="unhandled",
        error="",
        task_id=None,
    )


def test_a_queue_that_fails_does_not_fail_the_task_and_the_sweep_sends_the_callback(
    monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    world = World()
    world.wiring.callback_queue.messages.clear()

    def fail(*_: object) -> list[str]:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(world.wiring.callback_queue, "send", fail)
        task = world.ended_task()
    assert task.state is State.SUCCEEDED
    assert "callback not sent" in log.getvalue()
    assert world.wiring.callbacks.sweep() == 0  # it may still be on its way
    world.clock.advance(61)
    assert world.wiring.callbacks.sweep() == 1
    assert world.wiring.callbacks.sweep() == 0
    assert deliver_callbacks(world.wiring) == [True]


def test_a_callback_that_the_queue_refused_is_swept_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = world.wiring.callback_queue
    with monkeypatch.context() as refusing:
        refusing.setattr(world.wiring.callback_queue, "send", failing)
        tasks = [world.ended_task() for _ in range(3)]
    queue.messages.clear()
    world.clock.advance(61)
    refused, send = tasks[1].task_id, queue.send

    def refusing_one(*envelopes: Envelope) -> list[TaskId]:
        taken = [one for one in envelopes if one.task_id != refused]
        return [*send(*taken), *(one.task_id for one in envelopes if one.task_id == refused)]

    with monkeypatch.context() as refusing:
        refusing.setattr(queue, "send", refusing_one)
        assert world.wiring.callbacks.sweep() == 2
    assert waiting(world) == [refused]
    assert world.wiring.callbacks.sweep() == 1
    assert waiting(world) == []


def world_with_waiting(number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[World, list[TaskId]]:
    """Return a world in which so many callbacks wait that the queue was not given."""
    world = World()
    with monkeypatch.context() as broken:
        broken.setattr(world.wiring.callback_queue, "send", failing)
        tasks = [world.ended_task().task_id for _ in range(number)]
    world.wiring.callback_queue.messages.clear()
    world.clock.advance(61)
    return world, tasks


def given(world: World) -> list[TaskId]:
    """Return the tasks whose callbacks the queue has."""
    return [
        json.loads(one.body)["task_id"] for one in world.wiring.callback_queue.messages.values()
    ]


def test_one_callback_that_cannot_be_sent_or_recorded_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    world, tasks = world_with_waiting(25, monkeypatch)
    queue, store = world.wiring.callback_queue, world.wiring.callback_store
    not_sent, unrecorded = tasks[3], tasks[14]
    send, handed_over = queue.send, store.handed_over

    def send_others(*envelopes: Envelope) -> list[TaskId]:
        if not_sent in {one.task_id for one in envelopes}:
            raise ConnectionError("hunter2")
        return send(*envelopes)

    def record_others(task_id: TaskId) -> None:
        if task_id == unrecorded:
            raise ConnectionError("hunter2")
        handed_over(task_id)

    with monkeypatch.context() as broken:
        broken.setattr(queue, "send", send_others)
        broken.setattr(store, "handed_over", record_others)
        with pytest.raises(ExceptionGroup) as raised:
            world.wiring.callbacks.sweep()
    assert len(raised.value.exceptions) == 3  # of the batch, of the one in it, and of the record
    assert waiting(world) == [not_sent, unrecorded]
    assert set(given(world)) == set(tasks) - {not_sent}
    assert "hunter2" not in log.getvalue()
    assert f'"task_id":"{not_sent}"' in log.getvalue()
    assert world.wiring.callbacks.sweep() == 2
    assert set(given(world)) == set(tasks)


def test_a_batch_that_fails_as_a_whole_is_sent_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world, tasks = world_with_waiting(12, monkeypatch)
    send = world.wiring.callback_queue.send

    def send_one(*envelopes: Envelope) -> list[TaskId]:
        return send(*envelopes) if len(envelopes) == 1 else failing()

    monkeypatch.setattr(world.wiring.callback_queue, "send", send_one)
    with pytest.raises(ExceptionGroup) as raised:
        world.wiring.callbacks.sweep()
    assert len(raised.value.exceptions) == 2  # of each batch: someone has to see why
    assert set(given(world)) == set(tasks)
    assert waiting(world) == []


def test_a_queue_that_takes_nothing_is_not_asked_for_each_callback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, tasks = world_with_waiting(100, monkeypatch)
    asked: list[int] = []

    def send(*envelopes: Envelope) -> list[TaskId]:
        asked.append(len(envelopes))
        return failing()

    with monkeypatch.context() as broken:
        broken.setattr(world.wiring.callback_queue, "send", send)
        with pytest.raises(ExceptionGroup):
            world.wiring.callbacks.sweep()
    assert asked == [10, *[1] * 10]
    assert world.wiring.callbacks.sweep() == len(tasks)


def test_a_shard_that_cannot_be_read_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    world, tasks = world_with_waiting(3, monkeypatch)
    found = world.wiring.callback_store.waiting

    def one_fails(shard: int, before: datetime, *, limit: int) -> list[WaitingCallback]:
        if shard != 1:
            raise ConnectionError("hunter2")
        return found(shard, before, limit=limit)

    monkeypatch.setattr(type(world.wiring.callback_store), "shards", 3)
    monkeypatch.setattr(world.wiring.callback_store, "waiting", one_fails)
    with pytest.raises(ExceptionGroup) as raised:
        world.wiring.callbacks.sweep()
    assert len(raised.value.exceptions) == 2
    assert set(given(world)) == set(tasks)
    assert "hunter2" not in log.getvalue()


def test_a_callback_that_the_queue_refuses_at_its_tasks_end_waits_to_be_swept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    with monkeypatch.context() as refusing:
        refusing.setattr(
            world.wiring.callback_queue, "send", lambda *sent: [one.task_id for one in sent]
        )
        task = world.ended_task()
    world.clock.advance(61)
    assert waiting(world) == [task.task_id]


def failing(*_: Envelope) -> list[TaskId]:
    raise ConnectionError


def waiting(world: World) -> list[TaskId]:
    """Return the tasks whose callbacks the queue was not given."""
    found = world.wiring.callback_store.waiting(0, world.clock.now(), limit=100)
    return [one.task_id for one in found]


def test_no_log_line_holds_the_url_the_key_or_the_answer(world: World, log: StringIO) -> None:
    world.answers(Answered(500, retry_after="secret-of-the-receiver"))
    world.deliver_until_done()
    written = log.getvalue()
    assert "callback attempt" in written
    (key,) = world.wiring.webhook_keys.of(ACME)
    for secret in ("in-the-url", "secret-of-the-receiver", key_text(key), "a-secret-of-this-test"):
        assert secret not in written


def test_a_task_that_is_done_again_is_called_back_too(world: World) -> None:
    again = world.wiring.tasks.again(world.task, traceparent="00-1")
    assert again.callback == Callback(url=HOOK)


def test_a_secret_of_another_name_is_an_error_that_names_it() -> None:
    with pytest.raises(SecretsError, match="other"):
        MemorySecretStore(key="value").versions("other")
