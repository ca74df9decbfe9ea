"""The cost of a report window by its number of tasks.

The service, the pool and the DynamoDB adapter are the function's own, and botocore reads each page
as it would from the network: only the bytes are generated here. Each size runs in a process of its
own, whose greatest memory is its own too.
"""

import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Any

from tandem_tools.environment import with_tools

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SHARDS = 4
PAGE_BYTES = 1 << 20
"""What DynamoDB puts on a page at most."""
_TENANTS = 5_000
_MEGABYTE = 1 << 20

type Json = dict[str, Any]


def measure() -> Json:
    """Measure every size and return the results."""
    return {"rows": [_in_own_process(size) for size in SIZES]}


def table(result: Json) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| tasks in the window | CPU seconds | memory above an empty window, MB | CPU µs a task |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['tasks']:,} | {row['cpu_seconds']:.1f} | {row['more_megabytes']:.0f} "
        f"| {row['cpu_seconds'] / row['tasks'] * 1e6:.0f} |"
        for row in result["rows"]
    ]
    return "\n".join(lines)


def _in_own_process(size: int) -> Json:
    command = [sys.executable, "-m", "tandem_tools.bench.reporting", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=with_tools())
    row: Json = json.loads(done.stdout)
    return row


def _report(size: int) -> Json:
    """Close one window with so many tasks and return what that took."""
    from tandem.aws.dynamodb_reports import DynamoDBReportStore
    from tandem.processing.pool import BoundedPool
    from tandem.reports.closing import Reports
    from tandem.reports.report import compile_report
    from tandem.reports.window import Window
    from tandem.testing import FakeClock

    window = Window(datetime(2026, 1, 1, 12, tzinfo=UTC))
    pool = BoundedPool(5)
    clock = FakeClock(window.end + timedelta(seconds=15))
    table = _GeneratedTable(window.start)
    store = DynamoDBReportStore(table.client(), "tasks", shards=SHARDS)
    reports = Reports(store, clock, pool=pool)
    compile_report(window, reports.tally(window), clock.now())  # everything is imported and warm
    before_bytes, started = _peak_bytes(), time.process_time()
    table.pages_left = table.pages_for(size)
    report = compile_report(window, reports.tally(window), clock.now())
    seconds = time.process_time() - started
    pool.close()
    return {
        "tasks": report.tasks,
        "cpu_seconds": round(seconds, 2),
        "more_megabytes": round((_peak_bytes() - before_bytes) / _MEGABYTE, 1),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _GeneratedTable:
    """Answers queries with pages of generated tasks, as DynamoDB would send them."""

    def __init__(self, start: datetime) -> None:
        random = Random(1)  # noqa: S311 - the same tasks each time
        sample = [_item(random, start) for _ in range(4_000)]
        self._per_page = min(PAGE_BYTES // _size(sample), len(sample))
        self._page = sample[: self._per_page]
        self.pages_left: list[int] = []
        self._made: dict[int, bytes] = {}

    def pages_for(self, size: int) -> list[int]:
        """Return how many tasks each page has, so that there are so many in all."""
        full, rest = divmod(size, self._per_page)
        return [self._per_page] * full + ([rest] if rest else [])

    def client(self) -> Any:
        """Return a DynamoDB client that asks here instead of the network."""
        import boto3

        client = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="benchmark",
            aws_secret_access_key="benchmark",  # noqa: S106 - nobody is asked
        )
        client.meta.events.register("before-send.dynamodb.Query", self._answer)
        return client

    def _answer(self, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse
        from botocore.compat import HTTPHeaders

        try:
            number = self.pages_left.pop()
        except IndexError:
            number = 0
        left = len(self.pages_left)
        last = b',"LastEvaluatedKey":{"pk":{"S":"task-%d"}}' % left if left else b""
        body = b'{"Items":%s,"Count":%d%s}' % (self._items(number), number, last)
        headers = HTTPHeaders.from_dict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse("https://dynamodb", 200, headers, _Raw(body))

    def _items(self, number: int) -> bytes:
        """Return so many tasks as JSON, made once."""
        if number not in self._made:
            self._made[number] = json.dumps(self._page[:number]).encode()
        return self._made[number]


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _size(items: list[Json]) -> int:
    """Return about how many bytes one of the items counts for DynamoDB: names and values."""
    texts = [
        len(name) + len(next(iter(value.values())))
        for item in items
        for name, value in item.items()
    ]
    return sum(texts) // len(items)


def _item(random: Random, start: datetime) -> Json:
    from tandem.clock import to_text
    from tandem.ids import time_ordered_uuid

    finished = start + timedelta(seconds=random.random() * 59)
    started = finished - timedelta(seconds=random.expovariate(1))
    created = started - timedelta(seconds=random.expovariate(0.5))
    task_id = time_ordered_uuid(created)
    texts = {
        "finished": f"{to_text(finished)}#{task_id}",
        "tenant": f"tenant-{int(random.paretovariate(0.5)) % _TENANTS}",
        "processor": random.choice(["echo", "summarize-table", "convert-table", "query-table"]),
        "mode": "offline",
        "state": random.choice(["succeeded"] * 19 + ["failed"]),
        "traceparent": f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01",
        "created_at": to_text(created),
        "started_at": to_text(started),
        "attempt_started_at": to_text(started),
    }
    numbers = {"attempts": 1, "input_bytes": 512, "output_bytes": 2_048}
    return {name: {"S": text} for name, text in texts.items()} | {
        name: {"N": str(value)} for name, value in numbers.items()
    }


if __name__ == "__main__":
    sys.path.insert(0, "functions")
    print(json.dumps(_report(int(sys.argv[1]))))
