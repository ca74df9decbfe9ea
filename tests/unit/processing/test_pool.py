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
