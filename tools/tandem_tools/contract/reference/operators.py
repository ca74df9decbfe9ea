"""The scenario of operators: dead letters, reports and metrics."""

from tandem_tools.contract.reference.shortened import (
    echo_counter,
    echo_in_latest,
    echo_in_reports,
    failed_task_id,
    has_echo,
    has_echo_counter,
    has_letter,
    one_letter,
    picture_head,
)
from tandem_tools.contract.reference.steps import Action, Step

OPERATING: list[Step | Action] = [
    Step(
        "process_offline",
        "The processor refuses the input for good: the task fails.",
        422,
        headers={"Prefer": "wait=10"},
        body={"processor": "copy-file", "input": {}},
    ),
    Step(
        "list_dead_letters",
        "The task that failed above, and why.",
        caller="operator",
        query={"limit": "100"},
        until=has_letter,
        shown=one_letter,
        keeps={"failed": failed_task_id},
    ),
    Step(
        "redrive_dead_letters",
        "What would be done: nothing is.",
        caller="operator",
        body={"task_ids": ["$failed"]},
    ),
    Step(
        "redrive_dead_letters",
        "It is done: a new task does the work again.",
        caller="operator",
        body={"task_ids": ["$failed"], "dry_run": False},
    ),
    Step(
        "list_reports",
        "What finished in one minute; here only that of `echo` is shown.",
        caller="operator",
        query={"limit": "100"},
        until=has_echo,
        shown=echo_in_reports,
    ),
    Step(
        "get_metrics",
        "What Prometheus scrapes; here one counter is shown.",
        caller="operator",
        until=has_echo_counter,
        shown=echo_counter,
    ),
    Step(
        "get_latest_report",
        "The same, of the minute that was closed last.",
        caller="operator",
        shown=echo_in_latest,
    ),
    Step(
        "get_last_hour_picture",
        "A picture of the last hour, for people; here only its beginning is shown.",
        caller="operator",
        shown=picture_head,
    ),
]
