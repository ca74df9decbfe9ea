from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from tandem.domain.sink import SinkCursor
from tandem.domain.window import Window
from tests.adapter.conftest import Ports
from tests.factories.tasks import NOON

NEW = SinkCursor(sink="webhook", published_through=Window(NOON))
MILLISECOND = timedelta(milliseconds=1)


def kept(ports: Ports, name: str = "webhook") -> SinkCursor:
    return ports.sinks.cursors([name])[name]


def test_a_sink_that_is_new_has_no_cursor(ports: Ports) -> None:
    assert ports.sinks.cursors([]) == {}
    assert ports.sinks.cursors(["webhook", "sns"]) == {}


def test_a_cursor_is_read_back_under_its_sinks_name_among_others(ports: Ports) -> None:
    other = replace(NEW, sink="sns")
    for cursor in (NEW, other):
        ports.sinks.create(cursor)
    assert ports.sinks.cursors(["sns", "webhook", "otlp"]) == {"webhook": NEW, "sns": other}


def test_a_cursor_that_is_there_is_not_made_again(ports: Ports) -> None:
    ports.sinks.create(NEW)
    ports.sinks.create(replace(NEW, published_through=Window(NOON).plus(5)))
    assert kept(ports) == NEW


def test_everything_of_a_cursor_is_kept_and_forgotten_again(ports: Ports) -> None:
    ports.sinks.create(NEW)
    claimed = ports.sinks.save(NEW.claimed(NOON + 50_123 * MILLISECOND))
    assert claimed is not None
    assert kept(ports) == claimed
    failed = ports.sinks.save(claimed.failed("it answered 503", NOON + 7 * MILLISECOND))
    assert failed is not None
    assert kept(ports) == failed
    assert (failed.failures, failed.error, failed.claimed_until) == (1, "it answered 503", None)
    good = ports.sinks.save(failed.published(Window(NOON).plus(1), until=None))
    assert kept(ports) == good
    assert good == replace(NEW, published_through=Window(NOON).plus(1), version=3)


def test_a_cursor_is_saved_only_over_what_was_read(ports: Ports) -> None:
    ports.sinks.create(NEW)
    first = ports.sinks.save(NEW.claimed(NOON))
    assert first is not None
    assert ports.sinks.save(NEW.published(Window(NOON).plus(9), until=None)) is None
    assert kept(ports) == first
    assert ports.sinks.save(replace(NEW, sink="unknown")) is None
    assert ports.sinks.cursors(["unknown"]) == {}


def test_of_many_runs_at_once_exactly_one_claims_a_sink(concurrent_ports: Ports) -> None:
    concurrent_ports.sinks.create(NEW)

    def claim(number: int) -> bool:
        return concurrent_ports.sinks.save(NEW.claimed(NOON + number * MILLISECOND)) is not None

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(8))) == 1
    assert kept(concurrent_ports).version == 1
