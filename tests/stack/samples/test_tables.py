"""Tables as people send them, over HTTP: uploaded, processed online, and answered rightly."""

from pathlib import Path

import httpx2
import pytest

from tandem_tools.harness.stack import DeployedApp
from tandem_tools.run import sample
from tests.factories.asked_tables import CASES
from tests.factories.table_cases import Case, Outcome, read_output


def outcome_of(case: Case, app: DeployedApp, folder: Path) -> Outcome:
    """Return what the deployed application makes of a case."""
    upload_ids = {}
    for table, (name, content) in case.uploads().items():
        file = folder / name
        file.write_bytes(content)
        upload_ids[table] = sample.send_upload(app.machine, file)
    body = {"processor": case.processor, "input": case.input(upload_ids)}
    answer = app.machine.post("/process-online", json=body)
    if answer.status_code == 422:
        return Outcome(refused=answer.json()["detail"])
    assert answer.status_code == 200, answer.text
    output = read_output(answer.content)["output"]
    if not output.get("file"):
        return Outcome(output)
    result = app.machine.get(f"/tasks/{answer.json()['task_id']}/result")
    assert result.status_code == 303, result.text
    return Outcome(output, httpx2.get(result.headers["location"]).raise_for_status().content)


@pytest.mark.parametrize("title", CASES)
def test_the_answer_is_right(title: str, app: DeployedApp, tmp_path: Path) -> None:
    case = CASES[title]
    assert case.seen(outcome_of(case, app, tmp_path)) == case.right
