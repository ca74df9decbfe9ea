"""The import budget refuses what is too much, and says how to see it."""

import pytest

from tandem_tools.check.budget import BUDGET, FORBIDDEN, FUNCTIONS, Steps, imported, over

ALLOWED = {"worker": {"import": 2}}


def found(*names: str) -> dict[str, Steps]:
    return {"worker": {"import": list(names)}}


def test_as_many_as_are_allowed_are_no_fault() -> None:
    assert over(found("json", "re"), ALLOWED) == []


def test_one_more_is_told_with_how_to_name_it() -> None:
    (fault,) = over(found("json", "re", "csv"), ALLOWED)
    assert "imports 3 modules, 1 more than it may" in fault
    assert "python -m tandem_tools budget --list worker" in fault


def test_what_is_heavy_is_refused_however_few_there_are() -> None:
    (fault,) = over(found("duckdb"), ALLOWED)
    assert fault == "worker: import imports duckdb, which it may not."


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_budget_is_far_above_what_is_imported(function: str) -> None:
    """Else a module more would not be seen. Processors are their application's own."""
    steps = imported(function)
    assert steps.keys() == BUDGET[function].keys()
    for step, names in steps.items():
        assert len(names) <= BUDGET[function][step] <= len(names) + 5
        assert not [name for name in names if name.startswith("processors")]
        assert not set(names) & set(FORBIDDEN[function])
