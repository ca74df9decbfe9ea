"""What each permission of the functions' roles is for: a scenario that breaks without it."""

from collections.abc import Callable
from functools import partial

from tests.stack import scenarios_api as api
from tests.stack import scenarios_behind as behind
from tests.stack.ground import HEADERS
from tests.stack.permissions import Permission
from tests.stack.scene import Scene

type Scenario = Callable[[Scene], None]

TASKS = "table/TaskTable"


def _in(role: str, scenarios: dict[tuple[str, str], Scenario]) -> dict[Permission, Scenario]:
    return {Permission(role, *allowed): one for allowed, one in scenarios.items()}


SCENARIOS: dict[Permission, Scenario] = {
    **_in(
        "ApiRole",
        {
            ("dynamodb:BatchGetItem", TASKS): api.reports_are_read,
            ("dynamodb:ConditionCheckItem", TASKS): api.one_makes_an_effect,
            ("dynamodb:GetItem", TASKS): api.one_is_read,
            ("dynamodb:PutItem", TASKS): api.one_is_submitted,
            ("dynamodb:UpdateItem", TASKS): api.one_is_cancelled,
            ("dynamodb:DeleteItem", TASKS): api.a_kept_result_is_deleted_with_its_task,
            ("dynamodb:Query", f"{TASKS}/index/by_owner"): api.they_are_listed,
            ("dynamodb:Query", f"{TASKS}/index/by_view"): api.failed_tasks_are_listed,
            ("dynamodb:Query", f"{TASKS}/index/by_callback"): api.failed_callbacks_are_listed,
            ("sqs:SendMessage", "TaskQueue"): api.one_is_submitted,
            ("sqs:SendMessageBatch", "TaskQueue"): api.many_are_submitted,
            ("sqs:SendMessage", "CallbackQueue"): api.one_with_a_callback_is_cancelled,
            ("sqs:GetQueueAttributes", "TaskQueue"): api.health_is_looked_into,
            ("secretsmanager:GetSecretValue", "secret:CallbackSecret"): api.keys_are_shown,
            ("secretsmanager:GetSecretValue", "secret:ProcessorSettings"): api.settings_are_read,
            ("s3:GetObject", "TaskBucket/uploads/*"): api.an_upload_is_looked_at,
            ("s3:PutObject", "TaskBucket/uploads/*"): api.a_file_is_uploaded,
            ("s3:DeleteObject", "TaskBucket/uploads/*"): api.an_upload_is_deleted,
            ("s3:GetObject", "TaskBucket/tasks/*"): api.a_large_result_is_downloaded,
            ("s3:PutObject", "TaskBucket/tasks/*"): api.a_large_one_is_submitted,
            ("s3:DeleteObject", "TaskBucket/tasks/*"): api.objects_are_deleted_with_their_task,
            ("s3:ListBucket", "TaskBucket"): api.objects_are_deleted_with_their_task,
        },
    ),
    **{
        Permission("ApiRole", action, queue): partial(scenario, kind=kind, queue=queue)
        for kind, queue in (
            ("tasks", "DeadLetterQueue"),
            ("callbacks", "CallbackDeadLetterQueue"),
        )
        for action, scenario in (
            ("sqs:ReceiveMessage", api.letters_are_looked_at),
            ("sqs:ChangeMessageVisibilityBatch", api.letters_are_looked_at),
            ("sqs:DeleteMessage", api.letters_are_redriven),
        )
    },
    **_in(
        "WorkerRole",
        {
            ("dynamodb:ConditionCheckItem", TASKS): behind.one_makes_an_effect,
            ("dynamodb:GetItem", TASKS): behind.its_owner_cancels_it,
            ("dynamodb:PutItem", TASKS): behind.a_result_is_kept_for_the_same_input,
            ("dynamodb:UpdateItem", TASKS): behind.one_is_run,
            ("sqs:ChangeMessageVisibility", "TaskQueue"): behind.what_is_for_later_comes_back,
            ("sqs:DeleteMessageBatch", "TaskQueue"): behind.a_slow_one_keeps_no_other_message,
            ("sqs:SendMessage", "TaskQueue"): behind.what_cannot_be_hidden_is_sent_again,
            ("sqs:SendMessage", "DeadLetterQueue"): behind.what_names_no_task_is_a_dead_letter,
            ("sqs:SendMessage", "CallbackQueue"): behind.one_with_a_callback_is_run,
            ("secretsmanager:GetSecretValue", "secret:ProcessorSettings"): behind.settings_are_read,
            ("s3:GetObject", "TaskBucket/uploads/*"): behind.an_upload_is_read,
            ("s3:GetObject", "TaskBucket/tasks/*"): behind.a_large_input_is_read,
            ("s3:PutObject", "TaskBucket/tasks/*"): behind.a_large_output_is_kept,
        },
    ),
    **_in(
        "CallbackRole",
        {
            ("dynamodb:GetItem", TASKS): behind.a_callback_is_tried,
            ("dynamodb:UpdateItem", TASKS): behind.a_callback_is_tried,
            ("secretsmanager:GetSecretValue", "secret:CallbackSecret"): behind.a_callback_is_tried,
            ("sqs:ChangeMessageVisibility", "CallbackQueue"): behind.a_callback_is_tried_again,
            (
                "sqs:SendMessage",
                "CallbackDeadLetterQueue",
            ): behind.a_callback_of_no_task_is_a_dead_letter,
        },
    ),
    **_in(
        "ReportRole",
        {
            ("dynamodb:Query", f"{TASKS}/index/by_finish"): behind.windows_are_closed,
            ("dynamodb:Query", f"{TASKS}/index/by_due"): behind.one_is_swept,
            ("dynamodb:Query", f"{TASKS}/index/by_callback"): behind.a_callback_is_swept,
            ("dynamodb:Query", f"{TASKS}/index/by_view"): behind.failed_tasks_are_counted,
            ("dynamodb:DeleteItem", TASKS): behind.a_deleted_one_is_purged,
            ("s3:DeleteObject", "TaskBucket/tasks/*"): behind.a_deleted_one_is_purged,
            ("s3:ListBucket", "TaskBucket"): behind.a_deleted_one_is_purged,
            ("dynamodb:BatchGetItem", TASKS): behind.windows_are_closed,
            ("dynamodb:GetItem", TASKS): behind.windows_are_closed,
            ("dynamodb:PutItem", TASKS): behind.windows_are_closed,
            ("dynamodb:UpdateItem", TASKS): behind.one_is_swept,
            ("sqs:SendMessage", "TaskQueue"): behind.one_is_swept,
            ("sqs:SendMessageBatch", "TaskQueue"): behind.many_are_swept,
            ("sqs:SendMessage", "CallbackQueue"): behind.a_callback_is_swept,
            ("sqs:SendMessageBatch", "CallbackQueue"): behind.callbacks_are_swept,
            ("sqs:GetQueueAttributes", "TaskQueue"): behind.windows_are_closed,
            ("sqs:GetQueueAttributes", "DeadLetterQueue"): behind.windows_are_closed,
            ("sns:Publish", "ReportsTopic"): behind.the_topic_is_told,
            (
                "secretsmanager:GetSecretValue",
                "secret:ReportWebhookSecret",
            ): partial(behind.a_report_is_about_to_be_sent, sink="webhook"),
            (
                "secretsmanager:GetSecretValue",
                f"secret:{HEADERS}-??????",
            ): partial(behind.a_report_is_about_to_be_sent, sink="otlp"),
        },
    ),
}

POLLED = "the event source mapping uses it, and the emulator's asks for none"
MISSING = "S3 answers 403 for a missing object without it; the emulator answers 404 all the same"
LOGGED = "Lambda writes logs with it, and the emulator asks for none"
TRACED = "Lambda sends traces with it, and the emulator sends none"
FINISHED = "the SDK takes back a file's parts when one fails, and the emulator takes all of them"
DOUBLED = (
    "AWS asks for it where the emulator asks for ChangeMessageVisibilityBatch, which is proved"
)

OPEN = "the application's own part of the template: AWS allows everybody what stands there"

UNPROVED: dict[Permission, str] = {
    **{Permission(role, "sts:GetCallerIdentity", "*"): OPEN for role in ("ApiRole", "WorkerRole")},
    **{
        Permission(role, action, queue): POLLED
        for role, queue in (("WorkerRole", "TaskQueue"), ("CallbackRole", "CallbackQueue"))
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    },
    **{
        Permission("ApiRole", "sqs:ChangeMessageVisibility", queue): DOUBLED
        for queue in ("DeadLetterQueue", "CallbackDeadLetterQueue")
    },
    Permission("WorkerRole", "s3:ListBucket", "TaskBucket"): MISSING,
    **{
        Permission(role, "s3:AbortMultipartUpload", "TaskBucket/tasks/*"): FINISHED
        for role in ("ApiRole", "WorkerRole")
    },
    **{
        Permission(f"{function}Role", action, f"log-group:{function}LogGroup:*"): LOGGED
        for function in ("Api", "Worker", "Callback", "Report")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    },
    **{
        Permission(f"{function}Role", action, "*"): TRACED
        for function in ("Api", "Worker", "Callback", "Report")
        for action in ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
    },
}
"""What the emulator does not ask for, each with why the role has it."""
