"""The functions and every processor under the limits that Lambda's sandbox has."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tandem.lambda_events import http_event, sqs_record
from tandem.processing.catalogue import installed
from tandem_tools.build import sam as artifact
from tandem_tools.harness.function import Function
from tandem_tools.harness.resources import Resources
from tandem_tools.template import load_template
from tests.stack.runtime import FunctionRuntime, InvocationFailed
from tests.stack.sandbox import DESCRIPTORS, memory_group, refusal, sandboxed

REFUSAL = refusal()
pytestmark = pytest.mark.skipif(bool(REFUSAL), reason=f"no sandbox here: {REFUSAL}")

TABLES = pytest.mark.skipif("query-table" not in installed(), reason="there are no tables here")
MIB = 1024 * 1024
LOOK = """
import multiprocessing, os, pathlib, resource, shutil, tempfile
def written(path):
    try:
        pathlib.Path(path).write_text("x")
    except OSError as error:
        return type(error).__name__
    return "written"
def handler(event, context):
    if "bytes" in event:
        return len(bytearray(event["bytes"]))
    try:
        multiprocessing.Lock()
        lock = "made"
    except OSError:
        lock = "refused"
    return {
        "user": os.getuid(), "capable": "CapEff:\\t0000000000000000" in
            pathlib.Path("/proc/self/status").read_text(),
        "task": written("x"), "root": written("/x"), "home": written("/var/x"),
        "shm": written("/dev/shm/x"), "lock": lock, "tmp": written("/tmp/x"),
        "temporary": tempfile.gettempdir(), "disk": shutil.disk_usage("/tmp").total,
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
"""
TABLE = "id,name,amount\n" + "".join(f"{n},name {n % 7},{n / 4}\n" for n in range(20_000))

type Json = dict[str, Any]
type Run = Callable[..., Json]


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resources]:
    artifact.build(artifact.machine_architecture())
    with Resources(tmp_path_factory.mktemp("resources")) as made:
        yield made


@pytest.fixture(scope="module")
def start(
    resources: Resources, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., FunctionRuntime]]:
    with ExitStack() as running:

        def started(name: str, **more: Any) -> FunctionRuntime:
            scratch = tmp_path_factory.mktemp(name)
            function = resources.function(name)
            group = running.enter_context(
                memory_group(f"tandem-{scratch.name}", function.memory_mb)
            )
            options = {"disk_mb": disk_mb(name), "memory_group": group} | more
            return running.enter_context(FunctionRuntime(sandboxed(function, **options), scratch))

        yield started


@pytest.fixture(scope="module")
def api(start: Callable[..., FunctionRuntime]) -> FunctionRuntime:
    return start("ApiFunction")


@pytest.fixture(scope="module")
def worker(start: Callable[..., FunctionRuntime]) -> FunctionRuntime:
    return start("WorkerFunction")


def disk_mb(name: str) -> int:
    """Return the size of a function's disk as the template has it."""
    template = load_template()
    storage = template["Resources"][name]["Properties"].get("EphemeralStorage", {"Size": 512})
    size = storage["Size"]
    if isinstance(size, dict):
        size = template["Parameters"][size["Ref"]]["Default"]
    return int(size)


def ask(api: FunctionRuntime, method: str, path: str, body: Any = None) -> Json:
    answer = api.invoke(http_event(method, path, body))
    assert answer["statusCode"] < 400, answer["body"]
    found: Json = json.loads(answer["body"] or "null")
    return found


def uploaded(api: FunctionRuntime, resources: Resources, name: str, content: bytes) -> str:
    asked = {"filename": name, "content_type": "text/csv", "size": len(content)}
    upload_id: str = ask(api, "POST", "/uploads", asked)["upload_id"]
    bucket = resources.physical_ids()["TaskBucket"]
    tenant = http_event("GET", "/")["requestContext"]["authorizer"]["jwt"]["claims"]["client_id"]
    resources.aws.s3.put_object(
        Bucket=bucket, Key=f"uploads/{tenant}/{upload_id}", Body=content, ContentType="text/csv"
    )
    return upload_id


def ended(
    api: FunctionRuntime, worker: FunctionRuntime, resources: Resources, processor: str, given: Json
) -> Json:
    """Submit a task, deliver it as often as it wants, and return it as it ended."""
    body = {"processor": processor, "input": given}
    task_id = ask(api, "POST", "/process-offline", body)["task_id"]
    [message] = resources.aws.sqs.receive_message(QueueUrl=resources.queue_url)["Messages"]
    resources.aws.sqs.delete_message(
        QueueUrl=resources.queue_url, ReceiptHandle=message["ReceiptHandle"]
    )
    worker.invoke({"Records": [sqs_record(message["Body"])]})
    return ask(api, "GET", f"/tasks/{task_id}")


def parquet(folder: Path) -> bytes:
    file = folder / "table.parquet"
    duckdb.sql("SELECT range AS id, 'x' || range AS name FROM range(1000)").write_parquet(str(file))
    return file.read_bytes()


def test_the_sandbox_has_the_limits_of_lambda(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "app.py").write_text(LOOK)
    function = Function(folder=folder, handler="app.handler", timeout_seconds=20, memory_mb=128)
    with (
        memory_group(f"tandem-{tmp_path.name}-look", 128) as group,
        FunctionRuntime(sandboxed(function, disk_mb=64, memory_group=group), tmp_path) as looking,
    ):
        seen = looking.invoke({})
        assert {seen[place] for place in ("task", "root", "home", "shm")} <= {
            "OSError",
            "PermissionError",
            "FileNotFoundError",
        }
        assert (seen["tmp"], seen["lock"], seen["capable"]) == ("written", "refused", True)
        assert (seen["temporary"], seen["disk"]) == ("/tmp", 64 * MIB)
        assert seen["descriptors"] == DESCRIPTORS
        if group is not None:
            assert looking.invoke({"bytes": 16 * MIB}) == 16 * MIB
            with pytest.raises(InvocationFailed):
                looking.invoke({"bytes": 256 * MIB})


def test_the_api_answers_and_runs_processors_online(api: FunctionRuntime) -> None:
    assert ask(api, "GET", "/health")["status"] == "ok"
    assert "echo" in {one["name"] for one in ask(api, "GET", "/processors")["processors"]}
    echoed = ask(api, "POST", "/process-online", {"processor": "echo", "input": {"message": "m"}})
    assert echoed["output"] == {"message": "m"}


@TABLES
def test_the_api_queries_a_table_online(api: FunctionRuntime, resources: Resources) -> None:
    upload = uploaded(api, resources, "t.csv", TABLE.encode())
    given = {"upload": upload, "sql": "SELECT name, sum(amount) AS a FROM data GROUP BY name"}
    found = ask(api, "POST", "/process-online", {"processor": "query-table", "input": given})
    assert len(found["output"]["rows"]) == 7


CASES = [
    case
    for case in (
        ("echo", None, {"message": "hello"}),
        ("hash-blocks", None, {"blocks": 2}),
        ("checksum-files", None, {"blocks": 8, "block_mb": 1}),
        ("checksum-files", "t.csv", {}),
        ("summarize-table", "t.csv", {}),
        ("summarize-table", "t.parquet", {}),
        ("summarize-table", "t.csv.gz", {}),
        ("query-table", "t.csv", {"sql": "SELECT count(*) AS n FROM data"}),
        ("query-table", "t.parquet", {"sql": "SELECT * FROM data", "to": "csv"}),
        ("convert-table", "t.csv", {"to": "parquet"}),
        ("convert-table", "t.parquet", {"to": "jsonl"}),
    )
    if case[0] in installed()
]


@pytest.mark.parametrize(("processor", "file", "given"), CASES)
def test_every_processor_succeeds(  # noqa: PLR0917 - pytest gives them by their names
    api: FunctionRuntime,
    worker: FunctionRuntime,
    resources: Resources,
    tmp_path: Path,
    processor: str,
    file: str | None,
    given: Json,
) -> None:
    if file is not None:
        contents = {
            "t.csv": TABLE.encode(),
            "t.csv.gz": gzip.compress(TABLE.encode()),
            "t.parquet": parquet(tmp_path),
        }
        upload = uploaded(api, resources, file, contents[file])
        given |= {"uploads": [upload]} if processor == "checksum-files" else {"upload": upload}
    task = ended(api, worker, resources, processor, given)
    assert task["state"] == "succeeded", task["error"]


def test_there_is_a_case_for_every_processor() -> None:
    own = {
        name
        for name, processor in installed().items()
        if not processor.run.__module__.startswith("tandem_tools")
    }
    samples = {"checksum-files", "summarize-table", "query-table", "convert-table"}
    assert {processor for processor, *_ in CASES} == own & (samples | {"echo", "hash-blocks"})


def test_a_report_is_made(start: Callable[..., FunctionRuntime]) -> None:
    assert start("ReportFunction").invoke({})["closed"]


@TABLES
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"a\n" + b"1\n" * (8 * MIB), "Permanent"),  # it is looked at before it is read
        (gzip.compress(b"a\n" + b"1\n" * (8 * MIB)), "DiskTooSmall"),
    ],
    ids=["uploaded", "unpacked"],
)
def test_a_task_that_needs_more_than_the_disk_fails_and_the_next_succeeds(
    start: Callable[..., FunctionRuntime],
    api: FunctionRuntime,
    resources: Resources,
    content: bytes,
    error: str,
) -> None:
    small = start("WorkerFunction", disk_mb=8)
    upload = uploaded(api, resources, "t.csv", content)
    task = ended(api, small, resources, "summarize-table", {"upload": upload})
    assert (task["state"], task["error"]["type"]) == ("failed", error)
    assert "disk" in task["error"]["message"]
    after = ended(api, small, resources, "echo", {"message": "hello"})
    assert after["state"] == "succeeded"
