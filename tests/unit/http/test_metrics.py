"""Prometheus metrics, read back with Prometheus' own readers."""

import gzip
import json
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import StringIO
from random import Random

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from tandem.lambda_events import http_event
from tandem.reports.counts import NUMBERS, Count, Series
from tandem.reports.histogram import Histogram
from tandem.reports.report import Levels
from tandem.tasks.task import Mode, State
from tests.unit.http.conftest import Api

LAMBDA_ANSWER_BYTES = 6 * 1024 * 1024
OUTCOMES = [state for state in State if state.final]

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
READERS = [("", plain_text), (OPEN_METRICS, open_metrics)]
LEVELS = Levels(
    waiting=3, delayed=2, in_flight=1, dead_letters=4, oldest_waiting_seconds=5.5, swept=6
)

type Reader = Callable[[str], Iterable[Metric]]


def process(api: Api) -> None:
    api("POST", "/process-online", {"processor": "echo", "input": {"message": "hello"}})
    api("POST", "/process-online", {"processor": "copy-file", "input": {}})


def close(api: Api, levels: Levels = LEVELS) -> None:
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due(levels))


def scraped(api: Api, accept: str, reader: Reader) -> dict[str, float]:
    """Return every sample by its name and labels."""
    answer = api("GET", "/metrics", headers={"accept": accept})
    assert answer.status == 200
    return {
        f"{one.name}{sorted(one.labels.values())}": one.value
        for family in reader(answer.text)
        for one in family.samples
    }


@pytest.mark.parametrize(("accept", "reader"), READERS)
def test_totals_are_counters_and_histograms(api: Api, accept: str, reader: Reader) -> None:
    process(api)
    close(api)
    found = scraped(api, accept, reader)
    echo = "['echo', 'online', 'succeeded']"
    assert found[f"tandem_tasks_total{echo}"] == 1
    assert found["tandem_tasks_total['copy-file', 'failed', 'online']"] == 1
    assert found[f"tandem_task_attempts_total{echo}"] == 1
    assert found[f"tandem_task_retries_total{echo}"] == 0
    assert found[f"tandem_tasks_faulted_total{echo}"] == 0
    assert found[f"tandem_task_input_bytes_total{echo}"] == len('{"message":"hello"}')
    assert found[f"tandem_task_run_seconds_count{echo}"] == 1
    assert found["tandem_task_run_seconds_bucket['+Inf', 'echo', 'online', 'succeeded']"] == 1
    assert found["tandem_queue_messages['waiting']"] == 3
    assert found["tandem_dead_letters[]"] == 4
    assert found["tandem_oldest_waiting_seconds[]"] == 5.5
    assert found["tandem_report_closed_through_timestamp_seconds[]"] == 1767268860


@pytest.mark.parametrize(("accept", "reader"), READERS)
def test_before_the_first_report_there_are_families_without_samples(
    api: Api, accept: str, reader: Reader
) -> None:
    assert scraped(api, accept, reader) == {"tandem_build_info['0.1.0']": 1}


@pytest.mark.parametrize(("accept", "reader"), READERS)
def test_levels_that_are_not_known_have_no_sample(api: Api, accept: str, reader: Reader) -> None:
    unknown = replace(LEVELS, waiting=None, delayed=None, in_flight=None, dead_letters=None)
    close(api, replace(unknown, oldest_waiting_seconds=None, swept=None))
    found = scraped(api, accept, reader)
    levels = ("tandem_queue", "tandem_dead", "tandem_oldest", "tandem_overdue")
    assert not [name for name in found if name.startswith(levels)]
    assert "tandem_report_closed_through_timestamp_seconds[]" in found
    close(api, replace(unknown, oldest_waiting_seconds=0))
    found = scraped(api, accept, reader)
    assert found["tandem_oldest_waiting_seconds[]"] == 0
    assert found["tandem_overdue_tasks[]"] == 6
    assert "tandem_dead_letters[]" not in found


def test_counters_only_grow_and_a_second_scrape_says_the_same(api: Api) -> None:
    process(api)
    close(api)
    first = scraped(api, "", plain_text)
    assert scraped(api, "", plain_text) == first
    process(api)
    assert scraped(api, "", plain_text) == first
    close(api)
    later = scraped(api, "", plain_text)
    assert all(later[name] >= value for name, value in first.items() if "timestamp" not in name)
    assert later["tandem_tasks_total['echo', 'online', 'succeeded']"] == 2


def test_every_metric_says_what_it_is_and_buckets_are_cumulative(api: Api) -> None:
    process(api)
    close(api)
    text = api("GET", "/metrics", headers={"accept": OPEN_METRICS}).text
    assert text.endswith("# EOF\n")
    for family in open_metrics(text):
        assert family.documentation
        assert family.name.endswith(family.unit)
        values = [one.value for one in family.samples if one.name.endswith("_bucket")]
        by_series = [values[start : start + 17] for start in range(0, len(values), 17)]
        assert all(series == sorted(series) for series in by_series)


PROCESSORS = 250
"""Each has six series, of some 5 KB."""


def hold_many(api: Api) -> None:
    """Put totals of many processors, in each mode and outcome, into the store."""
    random = Random(1)  # noqa: S311 - the same in each run

    def histogram() -> Histogram:
        return Histogram(tuple(random.randrange(10**6) for _ in range(17)), random.randrange(10**9))

    counts = {
        Series(f"processor-number-{number:04d}", mode, outcome): Count.of(
            [random.randrange(10**6) for _ in NUMBERS], histogram(), histogram()
        )
        for number in range(PROCESSORS)
        for mode in Mode
        for outcome in OUTCOMES
    }
    close(api)
    totals = api.wiring.report_store.totals()
    assert totals is not None
    api.wiring.report_store._totals = replace(totals, counts=counts)


def scrape(api: Api, **headers: str) -> tuple[int, bytes, str | None]:
    """Return how large Lambda's answer is, what a scraper reads of it, and how it was encoded."""
    event = http_event("GET", "/metrics", headers=headers)
    answer = api.handler(event, api.context)  # type: ignore[arg-type]
    assert answer["statusCode"] == 200
    body = answer["body"]
    content = b64decode(body) if answer["isBase64Encoded"] else body.encode()
    coding = answer["headers"].get("content-encoding")
    read = gzip.decompress(content) if coding == "gzip" else content
    return len(json.dumps(answer)), read, coding


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP ; q=0.5, identity", "*", "br, gzip;q=1.0"])
def test_what_is_too_large_is_compressed_for_who_takes_that(
    api: Api, accept: str, encoding: str
) -> None:
    hold_many(api)
    size, text, coding = scrape(api, **{"accept": accept, "accept-encoding": encoding})
    assert size < LAMBDA_ANSWER_BYTES
    assert coding == "gzip"
    assert text.count(b"\ntandem_tasks_total{") == PROCESSORS * 6
    assert text.count(b"\ntandem_task_run_seconds_bucket{") == PROCESSORS * 6 * 17


@pytest.mark.parametrize(
    "encoding", [None, "", "identity", "br", "gzip;q=0", "*;q=0", "gzip;q=nan"]
)
def test_who_takes_nothing_compressed_gets_all_counters_that_fit_and_no_histograms(
    api: Api, log: StringIO, encoding: str | None
) -> None:
    hold_many(api)
    headers = {} if encoding is None else {"accept-encoding": encoding}
    size, text, coding = scrape(api, **headers)
    assert size < LAMBDA_ANSWER_BYTES
    assert coding is None
    assert text.count(b"\ntandem_tasks_total{") == PROCESSORS * 6
    assert text.count(b"\ntandem_task_output_bytes_total{") == PROCESSORS * 6
    assert b"tandem_task_run_seconds" not in text
    assert "histograms not shown" in log.getvalue()


def test_what_fits_is_not_compressed(api: Api) -> None:
    process(api)
    close(api)
    _, text, coding = scrape(api, **{"accept-encoding": "gzip"})
    assert coding is None
    assert b"tandem_task_run_seconds_bucket{" in text


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        (OPEN_METRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_scraper_chooses_the_format(api: Api, accept: str, content_type: str) -> None:
    answer = api("GET", "/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(content_type)


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain;version=1e400",
        "text/plain; version=x",
        "text/plain; version=",
        "text/plain; version=1.0.0; escaping=\u00e9",
        "application/openmetrics-text; version=a.b",
        "application/openmetrics-text; version=" + "9" * 5000,
        "application/openmetrics-text; version=\u0661.0.0",
        "application/openmetrics-text; version=1.0.0; escaping=" + "x" * 500,
        "application/openmetrics-text; version=1._0",
        ";;,,;=,version",
        "\x00",
    ],
    ids=lambda accept: ascii(accept[:50]),
)
def test_any_accept_is_answered_with_metrics(api: Api, accept: str) -> None:
    answer = api("GET", "/metrics", headers={"accept": accept})
    assert answer.status == 200
    assert "tandem_build_info" in answer.text
    assert all(text.isascii() and text.isprintable() for text in answer.headers.values())
