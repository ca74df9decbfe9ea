"""The bounded thread pool of an execution environment."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock
from typing import Any


@contextmanager
def one_process() -> Iterator[None]:
    """End a process that was forked within the block where the block ends.

    It has the attempt's lease, its messages and its connections, and is not the worker: it writes
    nothing, and runs nothing that is registered for the end of a process.
    """
    process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(1)


class BoundedPool:
    """Runs work on at most `size` threads, with the context variables of whoever asked for it.

    The threads are made on first use.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._executor: ThreadPoolExecutor | None = None
        self._running: set[Future[Any]] = set()
        self._left: set[Future[Any]] = set()
        self._lock = Lock()

    @property
    def left_behind(self) -> int:
        """How many threads `replace` left that have not ended yet."""
        self._left = {future for future in self._left if not future.done()}
        return len(self._left)

    def submit[T](self, work: Callable[[], T]) -> Future[T]:
        """Queue work for a thread and return its future."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.size, thread_name_prefix="tandem")
            future = self._executor.submit(copy_context().run, work)
            self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def map[T, R](self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the work's results for the items, in their order.

        The caller works too, and free threads of the pool help: so work that itself runs on the
        pool may call this, and waits for no thread that it holds. The first error stops the rest
        and is raised, by whatever thread it came: also one that is no Exception, such as the panic
        of a library in Rust.
        """
        shared = _SharedWork(work, list(items))
        helpers = [self.submit(shared.run) for _ in range(min(self.size, len(shared.items)) - 1)]
        shared.run()
        wait([helper for helper in helpers if not helper.cancel()])
        return shared.results()

    def map_each[T, R](
        self, work: Callable[[T], R], items: Iterable[T]
    ) -> tuple[list[R], list[Exception]]:
        """Do the work for every item, whatever becomes of the others.

        Threads are used as by `map`.

        Returns:
            The results in the order of their items, and the errors in the order of theirs.

        Raises:
            BaseException: one that is no Exception, after the work that had begun.
        """

        def outcome(item: T) -> tuple[list[R], list[Exception]]:
            try:
                return [work(item)], []
            except Exception as error:  # noqa: BLE001 - returned to the caller
                return [], [error]

        outcomes = self.map(outcome, items)
        results = [result for found, _ in outcomes for result in found]
        return results, [error for _, failed in outcomes for error in failed]

    def replace(self) -> None:
        """Leave the threads to what they are stuck in or still do. The next use makes new ones."""
        with self._lock:
            executor, self._executor = self._executor, None
            self._left |= {future for future in self._running if future.running()}
            self._running = set()
        if executor is not None:
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)


class _SharedWork[T, R]:
    """Items that several threads take in turn."""

    def __init__(self, work: Callable[[T], R], items: list[T]) -> None:
        self.items = items
        self._work = work
        self._next = iter(range(len(items)))
        self._done: dict[int, R] = {}
        self._error: BaseException | None = None
        self._lock = Lock()

    def run(self) -> None:
        """Work until no item is left or one failed. Raises nothing."""
        while (index := self._take()) is not None:
            try:
                with one_process():
                    self._done[index] = self._work(self.items[index])
            except BaseException as error:  # noqa: BLE001 - raised where the results are read
                with self._lock:
                    self._error = self._error or error
                return

    def _take(self) -> int | None:
        with self._lock:
            return None if self._error else next(self._next, None)

    def results(self) -> list[R]:
        if self._error:
            raise self._error
        return [self._done[index] for index in range(len(self.items))]
