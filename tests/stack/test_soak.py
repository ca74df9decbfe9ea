"""Nothing is lost and nothing comes twice while workers die: the benchmarks' soak, shorter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.soak import PROCESSORS, soak
from benchmarks.soak_audit import audit
from tests.stack.stack import DeployedApp, deployed_app

TASKS = 300
KILLS = 3
PARAMETERS = {"WorkerTimeoutSeconds": "20", "VisibilityTimeoutSeconds": "24"}
"""As on AWS, a message stays hidden for longer than a worker may take with it."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[DeployedApp]:
    with deployed_app(tmp_path / "stack", PARAMETERS, PROCESSORS) as running:
        yield running


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

    again, *_ = soaked.ledger.read_text().splitlines()
    with soaked.ledger.open("a") as ledger:
        ledger.write(f"{again}\n")
    assert audit(app, soaked).wrong, "the audit does not see an effect that is there twice"
