"""Nothing is lost and nothing comes twice while workers die: the benchmarks' soak, shorter."""

from pathlib import Path

from benchmarks.soak import soak
from benchmarks.soak_audit import audit
from tests.stack.stack import DeployedApp

TASKS = 300
KILLS = 3


def test_every_task_ends_once_with_one_effect_although_workers_are_killed(
    app: DeployedApp, tmp_path: Path
) -> None:
    soaked = soak(app, tmp_path, tasks=TASKS, kills=KILLS)

    found = audit(app, soaked)

    assert found.wrong == []
    ends = [found.figures[state] for state in ("succeeded", "failed", "cancelled")]
    assert sum(ends) == TASKS
    assert all(ends)
    assert soaked.kills > 0
    assert found.figures["attempts_lost"] > 0
