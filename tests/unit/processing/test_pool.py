from contextvars import ContextVar
from threading import Barrier, Event, current_thread, get_ident

import pytest

from tandem.processing.pool import BoundedPool

who: ContextVar[str] = ContextVar("who", default="nobody")


def test_work_runs_with_the_context_variables_of_its_caller() -> None:
    pool = BoundedPool(1)
    who.set("acme")
    assert pool.submit(who.get).result() == "acme"
    pool.close()


def test_no_more_threads_than_its_size_work_at_once() -> None:
    pool = BoundedPool(2)
    names = {future.result() for future in [pool.submit(get_ident) for _ in range(50)]}
    assert len(names) <= 2
    pool.close()


def test_map_keeps_the_order_and_uses_several_threads() -> None:
    pool = BoundedPool(3)
    together = Barrier(3, timeout=10)

    def work(number: int) -> tuple[int, int]:
        together.wait()
        return number * number, get_ident()

    results = pool.map(work, range(3))
    assert [square for square, _ in results] == [0, 1, 4]
    assert len({thread for _, thread in results}) == 3
    pool.close()


def test_map_inside_work_of_the_same_pool_never_waits_for_itself() -> None:
    pool = BoundedPool(2)
    started = Barrier(2, timeout=10)

    def outer() -> list[int]:
        started.wait()
        return pool.map(lambda number: number + 1, range(20))

    futures = [pool.submit(outer) for _ in range(2)]
    assert [future.result(timeout=10) for future in futures] == [list(range(1, 21))] * 2
    pool.close()


def test_the_first_error_of_a_map_stops_the_rest_and_is_raised() -> None:
    pool = BoundedPool(1)
    seen: list[int] = []

    def work(number: int) -> None:
        seen.append(number)
        if number == 2:
            raise KeyError(number)

    with pytest.raises(KeyError):
        pool.map(work, range(100))
    assert seen == [0, 1, 2]


class Panic(BaseException):
    """What a library in Rust raises when it gives up: no Exception."""


def test_a_panic_on_a_helper_thread_stops_the_rest_and_reaches_the_caller() -> None:
    pool = BoundedPool(2)
    caller = get_ident()
    panicked = Event()
    done: list[int] = []

    def work(number: int) -> None:
        if get_ident() != caller:
            panicked.set()
            raise Panic
        assert panicked.wait(10)
        Event().wait(0.001)  # the helper's thread gets to run: its error is told after the event
        done.append(number)

    with pytest.raises(Panic):
        pool.map(work, range(1000))
    assert len(done) < 500
    pool.close()


def test_a_panic_of_the_caller_waits_for_the_work_that_helpers_have_begun() -> None:
    pool = BoundedPool(2)
    caller = get_ident()
    begun, let_go = Event(), Event()
    done: list[int] = []

    def work(number: int) -> None:
        if get_ident() == caller:
            assert begun.wait(10)
            let_go.set()
            raise Panic
        begun.set()
        assert let_go.wait(10)
        done.append(number)

    with pytest.raises(Panic):
        pool.map(work, range(1000))
    assert 1 <= len(done) < 1000
    pool.close()


def test_each_item_has_its_own_outcome_whatever_the_others_do() -> None:
    pool = BoundedPool(3)

    def work(number: int) -> int:
        if number % 2:
            raise KeyError(number)
        return number * 10

    results, errors = pool.map_each(work, range(6))
    assert results == [0, 20, 40]
    assert [error.args for error in errors] == [(1,), (3,), (5,)]
    assert pool.map_each(work, []) == ([], [])
    pool.close()


def test_a_panic_is_no_outcome_of_an_item() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise Panic
        return number

    with pytest.raises(Panic):
        BoundedPool(1).map_each(work, range(6))


def test_map_of_nothing_is_nothing() -> None:
    assert BoundedPool(2).map(str, []) == []


def test_a_replaced_pool_goes_on_while_its_old_threads_are_stuck() -> None:
    pool = BoundedPool(1)
    let_go = Event()
    stuck = pool.submit(lambda: let_go.wait(30))
    pool.replace()
    assert pool.submit(lambda: current_thread().name).result(timeout=10).startswith("tandem")
    let_go.set()
    assert stuck.result(timeout=10)
    pool.close()
