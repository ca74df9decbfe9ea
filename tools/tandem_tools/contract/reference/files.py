"""Files: uploaded, processed, downloaded."""

from tandem_tools.contract.reference import actions
from tandem_tools.contract.reference.steps import Action, Step, field_of
from tandem_tools.paths import SAMPLE

FILE = {"filename": SAMPLE.name, "content_type": "text/csv", "size": SAMPLE.stat().st_size}

FILES: list[Step | Action] = [
    Step(
        "create_upload",
        "The form that sends one file: POST the fields, then the file as `file`, to the URL.",
        201,
        body=FILE,
        keeps={"upload": field_of("upload_id"), "form": lambda given: given.text},
    ),
    Action(actions.send_file),
    Step("get_upload", "What is known of the file.", path={"upload_id": "$upload"}),
    Step(
        "process_online",
        "A file that was uploaded is the input.",
        headers={"Cache-Control": "no-cache"},
        body={
            "processor": "hash-files",
            "input": {"uploads": ["$upload"]},
        },
    ),
    Step(
        "process_online",
        "The result is a file: `GET /tasks/{task_id}/result` leads to it.",
        headers={"Cache-Control": "no-cache"},
        body={"processor": "copy-file", "input": {"upload": "$upload", "filename": SAMPLE.name}},
        keeps={"file_task": field_of("task_id")},
    ),
    Step(
        "get_task_result",
        "A large output, or a file, is downloaded from the URL in `Location`.",
        303,
        path={"task_id": "$file_task"},
    ),
    Step("delete_upload", "It is not needed any more.", 204, path={"upload_id": "$upload"}),
]
