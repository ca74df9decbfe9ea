import asyncio

from tandem.clock import SystemClock
from tandem.processing import TaskContext
from tandem.processing.catalogue import Catalogue
from tandem.settings import Settings
from tandem.tasks.online import Answered, Promoted
from tandem.testing import MemoryWiring
from tests.factories.processors import Number, Stuck, make_processor, new_work


def test_a_stuck_thread_does_not_stay_in_the_pool_of_the_requests_after_it() -> None:
    stuck = Stuck()

    def first_hangs(data: Number, ctx: TaskContext) -> Number:
        return stuck(data, ctx) if data.value == 9 else data

    wiring = MemoryWiring(
        Settings(thread_pool_size=1),
        clock=SystemClock(),
        catalogue=Catalogue([make_processor(first_hangs)]),
    )

    def process(value: int, budget_seconds: float) -> Answered | Promoted:
        online = wiring.online.process(
            new_work(wiring), Number(value=value), budget_seconds=budget_seconds
        )
        return asyncio.run(online)

    hung, answer = process(9, 0.05), process(1, 5)
    left_behind = wiring.pool.left_behind
    stuck.let_go.set()
    assert isinstance(hung, Promoted)
    assert isinstance(answer, Answered)
    assert left_behind == 1
    assert (hung.task.in_company, answer.task.in_company) == (False, True)
