"""What a million tasks cost on AWS: counted calls times public prices (docs/deploy.md shows it).

Counts are those of docs/performance.md and tests/adapter/test_prices.py, which count them on the
application. Prices are of us-east-1, in US dollars, without the free tier; each has its source.
"""

from dataclasses import dataclass

SECONDS_API, MEMORY_API_GB = 0.03, 1.0
SECONDS_WORKER, MEMORY_WORKER_GB = 0.05, 1769 / 1024
LOG_KB = 4.0
TRACED = 0.05


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit costs."""

    what: str
    dollars: float
    per: str
    source: str
    """Where it was read, and of when it is."""


PRICES = {
    "gateway": Price(
        "API Gateway, HTTP API", 1.00, "million requests", "awsforengineers.com, May 2025"
    ),
    "invocation": Price("Lambda, requests", 0.20, "million requests", "cloudchipr.com, 2024"),
    "compute": Price(
        "Lambda, arm64", 13.3334, "million GB-seconds", "cloudchipr.com, 2024, first tier"
    ),
    "write": Price("DynamoDB on demand, write units", 0.625, "million", "airbyte.com, July 2025"),
    "read": Price("DynamoDB on demand, read units", 0.125, "million", "airbyte.com, July 2025"),
    "queue": Price(
        "SQS, with fair queues", 0.50, "million requests", "cloudburn.io, March 2026: 0.40 + 0.10"
    ),
    "logs": Price("CloudWatch Logs, ingested", 0.50, "GB", "factualminds.com, June 2026"),
    "traces": Price(
        "X-Ray, traces recorded", 5.00, "million", "not found in a dated source: an input"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How many units of each thing one task takes."""

    what: str
    units: dict[str, float]

    def dollars(self, name: str) -> float:
        """Return what a million tasks cost of one thing."""
        return self.units.get(name, 0) * PRICES[name].dollars

    @property
    def total(self) -> float:
        """What a million tasks cost."""
        return sum(self.dollars(name) for name in PRICES)


def _use(what: str, *, requests: int, runs: float, worker_runs: float, **counted: float) -> Use:
    compute = runs * SECONDS_API * MEMORY_API_GB + worker_runs * SECONDS_WORKER * MEMORY_WORKER_GB
    return Use(
        what=what,
        units={
            "gateway": requests,
            "invocation": runs + worker_runs,
            "compute": compute,
            "logs": LOG_KB,  # KB for a task are GB for a million
            "traces": TRACED * requests,
        }
        | counted,
    )


OFFLINE_WRITES = 11
"""Submit: the item, by_owner, by_due. Claim: the item, by_owner, and by_due twice, as its key
changes. Finish: the item, by_owner, out of by_due, into by_finish."""

ONLINE_WRITES = 7
"""Started: the item, by_owner, by_due. Finish: as offline."""

REPORT_READS = 0.5
"""The report reads a finished task's entry in by_finish in up to six of its runs, half a unit for
every 4 KB: an entry has less than 700 bytes."""

OFFLINE = _use(
    "offline, and its result read once",
    requests=2,
    runs=2,
    worker_runs=1,  # in full batches a fifth of it, and longer
    write=OFFLINE_WRITES,
    read=1 + REPORT_READS,
    queue=3,  # sent, received, deleted
)
ONLINE = _use(
    "online",
    requests=1,
    runs=1,
    worker_runs=0,
    write=ONLINE_WRITES,
    read=REPORT_READS,
    queue=0,
)


def table() -> str:
    """Return the costs of a million tasks as a Markdown table."""
    lines = [
        "| a million tasks, in US dollars | offline | online |",
        "| --- | ---: | ---: |",
    ]
    for name, price in PRICES.items():
        costs = f"{OFFLINE.dollars(name):.2f} | {ONLINE.dollars(name):.2f}"
        lines.append(f"| {price.what} | {costs} |")
    lines.append(f"| **all** | **{OFFLINE.total:.2f}** | **{ONLINE.total:.2f}** |")
    lines += [
        "",
        "| price | US dollars | per | source |",
        "| --- | ---: | --- | --- |",
    ]
    lines += [
        f"| {one.what} | {one.dollars:g} | {one.per} | {one.source} |" for one in PRICES.values()
    ]
    return "\n".join(lines)
