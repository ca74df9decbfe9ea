"""A `TaskContext` for tests of a processor."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel

from tandem.clock import SystemClock
from tandem.files.filename import InvalidFilename, saved_name
from tandem.ids import TaskId, new_task_id
from tandem.processing.context import Abandoned, Logger, SavedFile
from tandem.processing.pool import BoundedPool
from tandem.tasks.retry import EffectUnknown, OwnFault, Permanent

if TYPE_CHECKING:
    from tandem.tasks.effects import Unknown


class _FieldLogger:
    """Drops the fields into the message: the standard logger knows none."""

    def info(self, msg: object, **fields: Any) -> None:
        logging.getLogger("processor").info("%s %s", msg, fields)

    def error(self, msg: object, **fields: Any) -> None:
        logging.getLogger("processor").error("%s %s", msg, fields)

    def warning(self, msg: object, **fields: Any) -> None:
        logging.getLogger("processor").warning("%s %s", msg, fields)


class FakeContext:
    r"""Records what a processor asked for.

    Example:
        context = FakeContext(uploads={"orders": ("orders.csv", b"id\n1\n")})
        assert count_lines.run(Input(upload="orders"), context).lines == 2

        context = FakeContext(answers={"charge": {"id": "ch_1"}})  # an earlier attempt's
        charge_card.run(Input(cents=100), context)
        assert context.effects == []
    """

    def __init__(
        self,
        *,
        uploads: dict[str, tuple[str, bytes]] | None = None,
        threads: int = 2,
        attempt: int = 1,
        task_id: str | None = None,
        answers: Mapping[str, Any] | None = None,
        begun: Iterable[str] = (),
        settings: BaseModel | None = None,
    ) -> None:
        """Make the context of an attempt.

        Args:
            uploads: the tenant's uploads by their ids: name and content of each.
            threads: how many the pool has.
            attempt: which attempt it is, from 1.
            task_id: the task's id. None for a new one.
            answers: what earlier attempts recorded for effects, by their keys.
            begun: keys of the effects that an earlier attempt began, and recorded no answer for.
            settings: of the model that the processor declares.
        """
        self.attempt = attempt
        self.task_id = TaskId(task_id or new_task_id(SystemClock().now()))
        self.deadline: datetime = SystemClock().now() + timedelta(minutes=1)
        self.logger: Logger = _FieldLogger()
        self.pool = BoundedPool(threads)
        self.cancelled: Callable[[], bool] = lambda: False
        self.progressed: list[tuple[int, int | None, str]] = []
        self.saved: dict[str, bytes] = {}
        self.effects: list[str] = []
        """The keys of the effects that were made: one for each call, in their order."""
        self._answers = dict(answers or {})
        self._begun = set(begun)
        self._uploads = uploads or {}
        self._settings = settings

    @property
    def settings(self) -> Any:
        """The settings that the test gave."""
        if self._settings is None:
            message = "the test gave no settings: FakeContext(settings=Model(…))"
            raise OwnFault(message)
        return self._settings

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Record the progress in `progressed`."""
        self.progressed.append((done, total, message))

    def check_cancelled(self) -> None:
        """Raise Abandoned when `cancelled` says so."""
        if self.cancelled():
            raise Abandoned

    def once(self, key: str, call: Callable[[str], Any], *, unknown: "Unknown" = "fail") -> Any:
        """Call once for each key, record that in `effects`, and return the answer."""
        from tandem.tasks.effects import (
            check_call,
            check_key,
            check_unknown,
            dump_answer,
            idempotency_key,
        )

        check_key(key)
        check_call(call)
        check_unknown(unknown)
        if key not in self._answers:
            if key in self._begun and unknown == "fail":
                message = f"The effect {key!r} was begun and has no answer."
                raise EffectUnknown(message)
            self._begun.add(key)
            self.effects.append(key)
            answer = call(idempotency_key(self.task_id, "", key))
            self._answers[key] = json.loads(dump_answer(key, answer))
        return deepcopy(self._answers[key])

    @contextmanager
    def open_upload(self, upload_id: str) -> Iterator[BinaryIO]:
        """Return a stream over an upload that the test gave."""
        yield BytesIO(self._upload(upload_id)[1])

    @contextmanager
    def fetch_upload(self, upload_id: str) -> Iterator[Path]:
        """Return an upload that the test gave, as a local file."""
        filename, content = self._upload(upload_id)
        with TemporaryDirectory() as folder:
            path = Path(folder, "upload").with_suffix(Path(filename).suffix)
            path.write_bytes(content)
            yield path

    def save_file(self, name: str, content: Path | bytes, *, content_type: str) -> SavedFile:
        """Record the file in `saved`."""
        try:
            name = saved_name(name)
        except InvalidFilename as error:
            raise Permanent(str(error)) from None
        data = content.read_bytes() if isinstance(content, Path) else content
        self.saved = {name: data}
        return SavedFile(name=name, content_type=content_type, size_bytes=len(data))

    def _upload(self, upload_id: str) -> tuple[str, bytes]:
        try:
            return self._uploads[upload_id]
        except KeyError:
            message = f"there is no upload {upload_id}"
            raise Permanent(message) from None
