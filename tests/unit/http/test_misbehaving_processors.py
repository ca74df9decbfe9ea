"""Whatever a processor does, its caller is answered with a problem, and the next one as ever."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from tandem.processing.catalogue import Catalogue
from tests.factories import chaos
from tests.factories.chaos import ATTEMPT_ENDS, NO_OUTPUT, SECRET


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, api: Any) -> Any:
    """Return what asks for one run of the processor `echo`, which does what the input says."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tandem/test")
    real = api.wiring.catalogue["echo"]

    def run(data: Any, ctx: Any) -> Any:
        how = data.message
        if how in ATTEMPT_ENDS:
            ATTEMPT_ENDS[how][1](ctx)
        if how in NO_OUTPUT:
            return NO_OUTPUT[how]()
        if how in chaos.PROCESS_CHANGES:
            chaos.PROCESS_CHANGES[how](ctx)
        if how == "permanent":
            raise chaos.Permanent(SECRET)
        return real.run(data, ctx)

    made = replace(real, run=run)
    others = [one for name, one in api.wiring.catalogue.items() if name != "echo"]
    monkeypatch.setitem(vars(api.wiring), "catalogue", Catalogue([made, *others]))
    return lambda how: api(
        "POST", "/process-online", {"processor": "echo", "input": {"message": how}}
    )


PROBLEMS = [*(how for how in ATTEMPT_ENDS if how != "retry-after"), *NO_OUTPUT, "permanent"]
"""What asks for a later attempt goes on offline."""


@pytest.mark.parametrize("how", PROBLEMS)
def test_a_misbehaving_processor_is_answered_as_a_problem_of_its_task(
    how: str, process: Any, log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = process(how)
    assert answer.problem == "task-failed"
    assert answer.status == (422 if how == "permanent" else 500)
    assert answer.json["task_id"]
    assert SECRET not in log.getvalue() + "".join(capfd.readouterr())
    request = json.loads(log.getvalue().splitlines()[-1])
    assert (request["message"], request["status"]) == ("request", answer.status)
    assert process("well").status == 200


@pytest.mark.parametrize("how", sorted(chaos.PROCESS_CHANGES.keys() - {"close-stdout"}))
def test_what_a_processor_does_to_the_process_harms_no_later_request(
    how: str, process: Any
) -> None:
    assert process(how).status in {200, 500}
    assert process("well").status == 200
