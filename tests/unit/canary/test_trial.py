"""The canary over the real application in memory: what it lets through, and what it refuses."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from tandem.callbacks.batch import run_batch as run_callbacks
from tandem.canary.events import TENANT
from tandem.canary.trial import TASK_WITHIN, CheckFailed, Trial, Verdict
from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.ids import TenantId
from tandem.lambda_events import LambdaContextStub
from tandem.settings import Settings
from tandem.tasks.store import TaskFilter
from tandem.testing import MemoryWiring
from tandem.worker.batch import run_batch as run_tasks

ALL = ["health", "online", "offline", "callback", "report"]
SETTINGS = Settings(
    tenant_claim="tenant",
    callback_secret="callback-key",
    api_version="api:7",
    worker_version="worker:7",
    callback_version="callback:7",
    report_version="report:7",
)

type Event = Mapping[str, Any]


class Released:
    """The versions of a release, over one wiring in memory; a test can replace one."""

    def __init__(self) -> None:
        self.wiring = MemoryWiring(SETTINGS)
        self.calls: list[str] = []
        self.slept = 0.0
        self._api = LambdaHandler(create_app(self.wiring))
        self.stop = self._api.stop
        self.versions: dict[str, Callable[[Event], Any]] = {
            "api:7": lambda event: self._api(dict(event), LambdaContextStub()),  # type: ignore[arg-type]
            "worker:7": self._work,
            "callback:7": lambda event: run_callbacks(dict(event), self.wiring),
            "report:7": lambda event: {"closed": [], "swept": {}, "callbacks": 0},
        }

    def invoke(self, version: str, event: Event) -> dict[str, Any]:
        self.calls.append(version)
        answer: dict[str, Any] = self.versions[version](event)
        return answer

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.wiring.clock.advance(seconds)  # type: ignore[attr-defined]

    def _work(self, event: Event) -> Any:
        until = self.wiring.clock.now() + timedelta(minutes=1)
        return run_tasks(dict(event), self.wiring, until=until)

    def verdict(self) -> Verdict:
        return Trial(self, SETTINGS, self.wiring.clock, sleep=self.sleep).verdict()


@pytest.fixture
def release() -> Iterator[Released]:
    released = Released()
    yield released
    released.stop()


def test_a_release_that_works_passes_every_check(release: Released) -> None:
    found = release.verdict()
    assert found == Verdict(passed_checks=ALL)
    assert found.document() == {"status": "Succeeded", "passed": ALL}


def test_every_function_of_the_release_is_run_by_its_version(release: Released) -> None:
    release.verdict()
    assert set(release.calls) == set(release.versions)


def test_the_new_worker_runs_the_task_before_the_queue_hands_it_to_the_live_one(
    release: Released,
) -> None:
    release.verdict()
    (message,) = release.wiring.queue.messages.values()
    kept_back = math.ceil((message.visible_at - message.sent_at).total_seconds())  # as SQS does
    assert kept_back - release.slept == pytest.approx(0.8)
    everything = TaskFilter()
    tasks = release.wiring.tasks.list(TenantId(TENANT), everything, limit=9, cursor=None).tasks
    assert {(task.mode.value, task.state.value) for task in tasks} == {
        ("online", "succeeded"),
        ("offline", "succeeded"),
    }


def test_a_task_that_the_live_worker_has_is_waited_for(release: Released) -> None:
    work = release.versions["worker:7"]
    times = iter(range(100))

    def busy_elsewhere(event: Event) -> Any:
        if event["Records"] and next(times) < 3:
            return {"batchItemFailures": []}
        return work(event)

    release.versions["worker:7"] = busy_elsewhere
    assert release.verdict().passed


def broken(_event: Event) -> Any:
    raise CheckFailed("Runtime.ImportModuleError: Unable to import module 'app'")


def unreachable(_event: Event) -> Any:
    raise ConnectionError("https://lambda.example")


@pytest.mark.parametrize(
    ("version", "check"),
    [
        ("api:7", "health"),
        ("worker:7", "offline"),
        ("callback:7", "callback"),
        ("report:7", "report"),
    ],
)
def test_a_function_that_does_not_start_is_refused(
    release: Released, version: str, check: str
) -> None:
    release.versions[version] = broken
    found = release.verdict()
    assert (found.passed, found.failed_check) == (False, check)
    assert found.passed_checks == ALL[: ALL.index(check)]
    assert "ImportModuleError" in str(found.reason)
    assert found.document()["status"] == "Failed"


def test_what_was_not_expected_refuses_the_release_and_says_no_more_than_its_kind(
    release: Released,
) -> None:
    release.versions["api:7"] = unreachable
    assert release.verdict().reason == "ConnectionError"


def test_an_error_of_the_api_is_refused(release: Released) -> None:
    release.wiring.store.put = unreachable  # type: ignore[assignment]
    found = release.verdict()
    assert found.failed_check == "online"
    assert found.reason == "POST /process-online answered 500, not 200"


def test_a_worker_that_leaves_the_task_where_it_is_is_refused(release: Released) -> None:
    release.versions["worker:7"] = lambda _event: {"batchItemFailures": []}
    found = release.verdict()
    assert found.reason == "the task was queued after 60 s"
    assert release.slept >= TASK_WITHIN.total_seconds()


def test_another_output_is_refused(release: Released) -> None:
    api = release.versions["api:7"]

    def changed(event: Event) -> Any:
        answer = api(event)
        return answer | {"body": answer["body"].replace('"online"', '"enlino"')}

    release.versions["api:7"] = changed
    found = release.verdict()
    assert found.failed_check == "online"


def test_the_canary_without_its_versions_refuses(release: Released) -> None:
    found = Trial(release, Settings(), release.wiring.clock, sleep=release.sleep).verdict()
    assert (found.failed_check, found.reason) == ("health", "SettingsError")
