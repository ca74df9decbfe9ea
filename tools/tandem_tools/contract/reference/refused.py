"""The scenario's refusals: each kind of error once."""

from tandem_tools.contract.reference import actions
from tandem_tools.contract.reference.callers import ECHO
from tandem_tools.contract.reference.steps import Action, Step

NOBODYS = "00000000-0000-7000-8000-000000000000"

REFUSED: list[Step | Action] = [
    Step("list_tasks", "There is no valid access token.", 401, caller="anonymous"),
    Step("list_dead_letters", "The token lacks the scope.", 403),
    Step(
        "get_task",
        "There is no such task, or it is another tenant's.",
        404,
        path={"task_id": NOBODYS},
    ),
    Step("list_tasks", "The caller takes no JSON.", 406, headers={"Accept": "application/xml"}),
    Step("cancel_task", "The task has ended.", 409, path={"task_id": "$task"}),
    Step(
        "process_online",
        "The body is not JSON.",
        415,
        headers={"Content-Type": "text/csv"},
        body="city,amount",
    ),
    Step(
        "process_online",
        "The input is not valid; `errors` points at each part.",
        422,
        body={"processor": "hash-files", "input": {"uploads": []}},
    ),
    Step(
        "process_offline",
        "The `Idempotency-Key` was used with another body.",
        422,
        headers={"Idempotency-Key": "$key"},
        body=ECHO | {"input": {"message": "something else"}},
    ),
    Step(
        "process_offline",
        "The tenant's quota is used up; a deployment has none unless it is given one.",
        429,
        body=ECHO,
        during=actions.small_quota,
    ),
]
