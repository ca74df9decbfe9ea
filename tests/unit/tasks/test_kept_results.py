"""A result is kept for the question that was asked, and given as an answer of its own."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import BaseModel

from tandem.files.blobs import BlobMissing, task_prefix, upload_key
from tandem.ids import new_upload_id
from tandem.limits import COPIED_BYTES
from tandem.processing import TaskContext, Upload, processor
from tandem.processing.catalogue import Catalogue
from tandem.tasks.submit import NewTask
from tandem.tasks.task import Mode, State, StoredPayload, Task
from tandem.testing import MemoryWiring
from tandem_tools.harness.tasks import ACME
from tests.factories.deliveries import deliver_all

A, B = b"1,2", b"8,9"
LARGE = 300_000


class Question(BaseModel):
    upload: Upload | None = None
    unread: Upload | None = None
    plain: str = ""


class Answer(BaseModel):
    text: str


class World:
    """The application with one pure processor, which answers with what it reads."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None
        """Called between two looks at the upload."""
        self.after: Callable[[], None] = lambda: None
        """Called when all is read."""
        self.looks = 1
        self.padding = 0
        self.with_file = False

        @processor("work", cache_for=3600)
        def work(data: Question, ctx: TaskContext) -> Answer:
            return self.answer(data, ctx)

        self.wiring = MemoryWiring(catalogue=Catalogue([work]))

    def answer(self, data: Question, ctx: TaskContext) -> Answer:
        texts = []
        for look in range(self.looks if data.upload or data.plain else 0):
            if look:
                self.meanwhile()
            with ctx.fetch_upload(data.upload or data.plain) as path:
                texts.append(path.read_text())
        self.after()
        if self.with_file:
            ctx.save_file("a.csv", b"id", content_type="text/csv")
        return Answer(text="".join(texts) + "x" * self.padding)

    def upload(self, content: bytes, upload: str | None = None) -> Upload:
        """Store a file, in place of another's where an id is given."""
        known = Upload(upload or new_upload_id(self.wiring.clock.now()))
        key = upload_key(ACME, known)  # type: ignore[arg-type]  # it is one
        self.wiring.blobs.put(key, content, content_type="text/csv", filename="t.csv")
        return known

    def new(self, question: Question) -> NewTask:
        work = self.wiring.catalogue["work"]
        return NewTask(
            tenant=ACME,
            processor=work,
            document=question.model_dump_json(exclude_unset=True).encode(),
            traceparent="00-1",
            cache_key=self.wiring.results.key_of(ACME, work, question),
        )

    def submit(self, question: Question) -> Task:
        return self.wiring.submissions.offline(self.new(question))

    def run(self) -> None:
        deliver_all(self.wiring)

    def kept(self, question: Question) -> str | None:
        """Return what the question is answered with, without a run."""
        result = self.wiring.results.find(self.new(question).cache_key)
        return self.wiring.payloads.read(result.output).decode() if result else None


@pytest.fixture
def world() -> World:
    return World()


def test_what_was_read_as_it_was_submitted_is_kept(world: World) -> None:
    question = Question(upload=world.upload(A))
    world.submit(question)
    world.run()
    assert world.kept(question) == '{"text":"1,2"}'
    assert world.kept(Question(upload=world.upload(A))) == '{"text":"1,2"}'


def test_a_file_that_is_replaced_before_the_run_answers_no_question(world: World) -> None:
    upload = world.upload(A)
    task = world.submit(Question(upload=upload))
    world.upload(B, upload)
    world.run()
    ended = world.wiring.store.tasks[task.task_id]
    assert ended.state is State.SUCCEEDED
    assert world.kept(Question(upload=world.upload(A))) is None
    assert world.kept(Question(upload=world.upload(B))) is None


def test_a_file_that_is_replaced_and_put_back_answers_no_question(world: World) -> None:
    upload = world.upload(A)
    world.submit(Question(upload=upload))
    world.upload(B, upload)
    world.after = lambda: void(world.upload(A, upload))
    world.run()
    assert world.kept(Question(upload=upload)) is None
    assert world.kept(Question(upload=world.upload(B))) is None


@pytest.mark.parametrize(("first", "second"), [(A, A), (A, B), (B, A)])
def test_a_file_that_changes_while_it_is_read_answers_no_question(
    world: World, first: bytes, second: bytes
) -> None:
    upload = world.upload(first)
    world.looks = 2
    world.meanwhile = lambda: void(world.upload(second, upload))
    world.submit(Question(upload=upload))
    world.run()
    kept = world.kept(Question(upload=world.upload(first)))
    assert kept == ('{"text":"1,21,2"}' if first == second else None)


def void(_: object) -> None:
    return None


def test_online_too_a_replaced_file_answers_no_question(world: World) -> None:
    upload = world.upload(A)
    question = Question(upload=upload)
    new = world.new(question)
    world.upload(B, upload)
    asyncio.run(world.wiring.online.process(new, question, budget_seconds=10))
    assert world.kept(Question(upload=world.upload(A))) is None


def test_a_file_that_the_input_does_not_declare_is_no_part_of_a_question(world: World) -> None:
    """A field that is plain text: the key holds the id, and not what the file has in it."""
    question = Question(plain=str(world.upload(A)))
    world.submit(question)
    world.run()
    assert world.kept(question) is None


def test_a_declared_file_that_is_not_read_must_be_as_it_was(world: World) -> None:
    read, unread = world.upload(A), world.upload(A)
    question = Question(upload=read, unread=unread)
    world.submit(question)
    world.run()
    assert world.kept(question) == '{"text":"1,2"}'
    world = World()
    read, unread = world.upload(A), world.upload(A)
    world.submit(Question(upload=read, unread=unread))
    world.upload(B, unread)
    world.run()
    assert world.kept(Question(upload=read, unread=world.upload(A))) is None


def answered(world: World, question: Question) -> Task:
    new = world.new(question)
    kept = world.wiring.results.find(new.cache_key)
    assert kept is not None
    return world.wiring.submissions.answered(new, Mode.OFFLINE, kept)


@pytest.mark.parametrize(("padding", "with_file"), [(LARGE, False), (0, True), (LARGE, True)])
def test_an_answer_keeps_objects_of_its_own(world: World, padding: int, with_file: bool) -> None:  # noqa: FBT001
    world.padding, world.with_file = padding, with_file
    source = world.submit(Question())
    world.run()
    task = answered(world, Question())
    world.wiring.deletions.delete(world.wiring.store.tasks[source.task_id])
    stored = [one for one in (task.output, task.file) if isinstance(one, StoredPayload)]
    assert stored
    for payload in stored:
        assert payload.key.startswith(task_prefix(task.task_id))
        assert len(world.wiring.blobs.get(payload.key)) == payload.size_bytes
    if task.file is not None:
        assert task.file.key.endswith("/files/a.csv")
    world.wiring.deletions.delete(task)
    assert world.wiring.blobs.keys("tasks/") == []


def test_an_answer_whose_source_is_gone_is_no_answer(world: World) -> None:
    world.with_file = True
    source = world.submit(Question())
    world.run()
    world.wiring.blobs.delete_under(task_prefix(source.task_id), limit=10)
    with pytest.raises(BlobMissing):
        answered(world, Question())
    assert list(world.wiring.store.tasks) == [source.task_id]


def test_a_result_that_is_too_large_to_copy_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.padding, world.with_file = LARGE, True
    world.submit(Question())
    world.run()
    assert COPIED_BYTES == 64 * 1024 * 1024
    size = LARGE + len(b'{"text":""}') + len(b"id")
    monkeypatch.setattr("tandem.tasks.results.COPIED_BYTES", size)
    assert world.kept(Question()) is not None
    monkeypatch.setattr("tandem.tasks.results.COPIED_BYTES", size - 1)
    assert world.kept(Question()) is None


def test_the_result_of_a_deleted_task_is_not_found(world: World) -> None:
    source = world.submit(Question())
    world.run()
    assert world.kept(Question()) is not None
    world.wiring.store.delete(
        world.wiring.store.tasks[source.task_id], now=world.wiring.clock.now() + timedelta(1)
    )
    assert world.kept(Question()) is None
