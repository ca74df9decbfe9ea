"""What a deployment takes of uploads follows from its functions' memory, disk and time."""

from collections.abc import Iterator

import httpx2
import pytest

from tandem.limits import UPLOAD_BYTES
from tandem_tools.harness.stack import FINAL_STATES, DeployedApp, Json, eventually
from tests.stack.issuer import Issuer

MIB = 1024 * 1024
SMALL = {"API_STORAGE_MB": "193", "WORKER_STORAGE_MB": "194"}
"""Below what Lambda gives: then the tables' figures are 1 MiB in the API and 2 in the worker."""


@pytest.fixture(scope="module")
def client(shared: DeployedApp, issuer: Issuer) -> httpx2.Client:
    return shared.client(issuer.token("sized"))


@pytest.fixture
def small(shared: DeployedApp) -> Iterator[None]:
    before = {name: shared.variables(name) for name in ("api", "worker")}
    for name, variables in before.items():
        shared.configure(name, **{one: SMALL[one] for one in SMALL if one in variables})
    yield
    for name, variables in before.items():
        shared.configure(name, **{one: variables[one] for one in SMALL if one in variables})


def taken(client: httpx2.Client) -> dict[str, Json]:
    found = client.get("/processors").raise_for_status().json()
    assert found["limits"]["upload_bytes"] == UPLOAD_BYTES, "some processors do not say"
    return {one["name"]: one["upload_bytes"] for one in found["processors"]}


def uploaded(client: httpx2.Client, size: int) -> str:
    content = b"a\n" + b"1\n" * ((size - 2) // 2)
    asked = {"filename": "t.csv", "content_type": "text/csv", "size": size}
    ticket = client.post("/uploads", json=asked).raise_for_status().json()
    files = {"file": ("t.csv", content)}
    httpx2.post(ticket["url"], data=ticket["fields"], files=files, timeout=60).raise_for_status()
    upload_id: str = ticket["upload_id"]
    return upload_id


def ended(client: httpx2.Client, location: str) -> Json:
    def final() -> Json | None:
        task: Json = client.get(location).raise_for_status().json()
        return task if task["state"] in FINAL_STATES else None

    return eventually(final, 60)


def test_the_deployed_sizes_give_the_figures(client: httpx2.Client) -> None:
    """The stack of the tests gives the worker 20 s, of which 3 are for the end."""
    found = taken(client)
    online = int(20 * 10 * 1024 / 1769 * MIB)
    assert found["summarize-table"] == {"online": online, "offline": 17 * 10 * MIB}
    assert found["unreliable"] == {"online": None, "offline": None}


@pytest.mark.usefixtures("small")
def test_a_file_is_asked_for_before_it_is_sent_and_again_when_it_is_submitted(
    client: httpx2.Client,
) -> None:
    assert taken(client)["summarize-table"] == {"online": MIB, "offline": 2 * MIB}
    asked = {"filename": "t.csv", "content_type": "text/csv", "processor": "summarize-table"}
    assert client.post("/uploads", json=asked | {"size": 2 * MIB}).status_code == 201
    refused = client.post("/uploads", json=asked | {"size": 2 * MIB + 1})
    assert (refused.status_code, refused.json()["upload_bytes"]) == (413, 2 * MIB)
    upload = uploaded(client, 2 * MIB + 2)
    for path in ("/process-online", "/process-offline"):
        body = {"processor": "summarize-table", "input": {"upload": upload}}
        refused = client.post(path, json=body)
        assert (refused.status_code, refused.json()["upload_bytes"]) == (413, 2 * MIB)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("processor", "more", "size"),
    [
        ("summarize-table", {}, 2 * MIB),
        ("query-table", {"sql": "SELECT count(*) AS n FROM data"}, 2 * MIB),
        ("convert-table", {"to": "parquet"}, MIB),
    ],
)
def test_an_online_task_whose_upload_only_the_worker_takes_goes_on_there(
    client: httpx2.Client, processor: str, more: Json, size: int
) -> None:
    body = {"processor": processor, "input": {"upload": uploaded(client, size)} | more}
    answer = client.post("/process-online", json=body)
    assert (answer.status_code, answer.json()["message"]) == (202, "Task continues offline")
    task = ended(client, answer.headers["location"])
    assert (task["state"], task["mode"]) == ("succeeded", "online"), task["error"]


@pytest.mark.usefixtures("small")
def test_what_the_worker_does_not_take_fails_its_task_when_it_is_opened(
    client: httpx2.Client,
) -> None:
    upload = uploaded(client, MIB + 2)
    body = {"processor": "convert-table", "input": {"upload": upload, "to": "parquet"}}
    answer = client.post("/process-offline", json=body)
    task = ended(client, answer.headers["location"])
    assert (task["state"], task["attempts"], task["error"]["type"]) == ("failed", 1, "TooLarge")
    assert f"takes uploads of {MIB} bytes in all at most" in task["error"]["message"]
