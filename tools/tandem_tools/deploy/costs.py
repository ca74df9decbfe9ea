"""Costs on AWS: a million tasks, and a month of a stack at rest (docs/deploy.md shows both).

Calls are counted on the application (docs/performance.md, tests/adapter/test_prices.py), resources
in the template. Prices are of us-east-1, in US dollars, without the free tier. Each has its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem_tools.deploy.parameters import defaults, resources
from tandem_tools.template import load_template

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
        "X-Ray, traces recorded", 5.00, "million", "aws.amazon.com/xray/pricing, no date"
    ),
}

CLOUDWATCH = "aws.amazon.com/cloudwatch/pricing, as quoted in April 2022"
COGNITO = "aws.amazon.com/cognito/pricing, as quoted in May 2025"

PRICES_AT_REST = {
    "metric": Price("CloudWatch, custom metrics", 0.30, "metric and month", CLOUDWATCH),
    "alarm": Price("CloudWatch, metrics of alarms", 0.10, "metric and month", CLOUDWATCH),
    "dashboard": Price("CloudWatch, dashboards", 3.00, "dashboard and month", CLOUDWATCH),
    "client": Price("Cognito, clients that are machines", 6.00, "client and month", COGNITO),
    "token": Price("Cognito, their tokens", 2.25, "1,000 tokens", COGNITO),
    "secret": Price(
        "Secrets Manager, secrets", 0.40, "secret and month", "no dated source found: an input"
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


MINUTES = 60 * 24 * 30
"""Of a month, as all figures at rest are."""

POLLS = 5 * 3 * MINUTES
"""An event source mapping's calls of an empty queue: Lambda polls it five times over, for up to 20
seconds each. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

SECONDS_REPORT, MEMORY_REPORT_GB = 0.1, 1769 / 1024
LOG_KB_REPORT = 3.0

REPORT_CALLS = {"read": 27.0, "write": 8.0, "queue": 2}
"""What one run of the report takes with nothing to report: units of the table, calls of queues.
tests/adapter/test_prices.py counts them."""

METRICS_AT_REST = 12
"""Custom metrics that each run writes with one sink (tests/adapter/test_prices.py counts them)."""

TOKENS = 24 * 30
"""A client that keeps each token for its hour."""


@dataclass(frozen=True, slots=True)
class Share:
    """One line of what a stack costs at rest."""

    what: str
    count: str
    dollars: float


def at_rest(values: Mapping[str, str] | None = None) -> list[Share]:
    """Return what a stack costs in a month in which nobody calls it.

    Args:
        values: of the template's parameters, over their defaults.
    """
    template = load_template()
    made = resources(template, defaults(template) | dict(values or {}))
    of_type: dict[str, list[dict[str, Any]]] = {}
    for resource in made.values():
        of_type.setdefault(resource["Type"], []).append(resource.get("Properties", {}))
    alarms = sum(_metrics_of(alarm) for alarm in of_type["AWS::CloudWatch::Alarm"])
    queues = len(_polled(of_type["AWS::Serverless::Function"]))
    machines = sum(
        "client_credentials" in client["AllowedOAuthFlows"]
        for client in of_type.get("AWS::Cognito::UserPoolClient", [])
    )
    dashboards, secrets = (
        len(of_type.get(kind, []))
        for kind in ("AWS::CloudWatch::Dashboard", "AWS::SecretsManager::Secret")
    )
    units = {name: units * MINUTES / 1e6 for name, units in REPORT_CALLS.items()}
    compute = MINUTES * SECONDS_REPORT * MEMORY_REPORT_GB / 1e6 * PRICES["compute"].dollars
    return [
        _fixed("client", machines),
        _fixed("metric", METRICS_AT_REST),
        _fixed("alarm", alarms),
        _fixed("dashboard", dashboards),
        _fixed("secret", secrets),
        Share(
            "Cognito, a client that keeps its token for an hour",
            f"{TOKENS:,}",
            TOKENS / 1000 * PRICES_AT_REST["token"].dollars,
        ),
        Share(
            "SQS, polling by Lambda, and the report's looks",
            f"{queues} queues",
            (queues * POLLS / 1e6 + units["queue"]) * PRICES["queue"].dollars,
        ),
        Share(
            "Lambda, runs of the report",
            f"{MINUTES:,}",
            MINUTES / 1e6 * PRICES["invocation"].dollars + compute,
        ),
        Share(
            "DynamoDB, its reads and writes",
            f"{units['read']:.2f} and {units['write']:.2f} million",
            units["read"] * PRICES["read"].dollars + units["write"] * PRICES["write"].dollars,
        ),
        Share(
            "X-Ray, each run of the report is traced",
            f"{MINUTES:,}",
            MINUTES / 1e6 * PRICES["traces"].dollars,
        ),
        Share(
            "CloudWatch Logs, its lines and metrics",
            f"{LOG_KB_REPORT * MINUTES / 1e6:.2f} GB",
            LOG_KB_REPORT * MINUTES / 1e6 * PRICES["logs"].dollars,
        ),
    ]


def _fixed(name: str, count: int) -> Share:
    price = PRICES_AT_REST[name]
    return Share(price.what, str(count), count * price.dollars)


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """Return how many metrics an alarm is charged for: with metric math, each that it reads."""
    return sum("MetricStat" in metric for metric in alarm["Metrics"]) if "Metrics" in alarm else 1


def _polled(functions: list[dict[str, Any]]) -> list[str]:
    return [
        name
        for function in functions
        for name, event in function.get("Events", {}).items()
        if event["Type"] == "SQS"
    ]


def rest_table() -> str:
    """Return what a stack costs at rest as a Markdown table."""
    shares = at_rest()
    lines = ["| a month at rest, in US dollars | | |", "| --- | ---: | ---: |"]
    lines += [f"| {share.what} | {share.count} | {share.dollars:.2f} |" for share in shares]
    lines.append(f"| **all** | | **{sum(share.dollars for share in shares):.2f}** |")
    return "\n".join(lines)


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
    return "\n".join(lines)


def price_table() -> str:
    """Return the prices as a Markdown table."""
    lines = ["| price | US dollars | per | source |", "| --- | ---: | --- | --- |"]
    lines += [
        f"| {price.what} | {price.dollars:g} | {price.per} | {price.source} |"
        for price in (PRICES | PRICES_AT_REST).values()
    ]
    return "\n".join(lines)
