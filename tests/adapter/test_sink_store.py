from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from tandem.reports.sink import SinkCursor
from tandem.reports.window import Window
from tandem_tools.harness.tasks import NOON
from tests.adapter.conftest import Ports

NEW = SinkCursor(sink="webhook", published_through=Window(NOON))
OWN, OTHER = "own", "other"
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
    claimed = ports.sinks.save(NEW.claimed(NOON + 50_123 * MILLISECOND), writer=OWN)
    assert claimed is not None
    assert kept(ports) == claimed
    failed = ports.sinks.save(claimed.failed("it answered 503", NOON + 7 * MILLISECOND), writer=OWN)
    assert failed is not None
    assert kept(ports) == failed
    assert (failed.failures, failed.error, failed.claimed_until) == (1, "it answered 503", None)
    good = ports.sinks.save(failed.published(Window(NOON).plus(1), until=None), writer=OWN)
    assert kept(ports) == good
    assert good == replace(NEW, published_through=Window(NOON).plus(1), version=3)


def test_a_cursor_is_saved_only_over_what_was_read(ports: Ports) -> None:
    ports.sinks.create(NEW)
    first = ports.sinks.save(NEW.claimed(NOON), writer=OWN)
    assert first is not None
    assert ports.sinks.save(NEW.published(Window(NOON).plus(9), until=None), writer=OTHER) is None
    assert kept(ports) == first
    assert ports.sinks.save(replace(NEW, sink="unknown"), writer=OWN) is None
    assert ports.sinks.cursors(["unknown"]) == {}


def test_of_many_runs_at_once_exactly_one_claims_a_sink(concurrent_ports: Ports) -> None:
    concurrent_ports.sinks.create(NEW)

    def claim(number: int) -> bool:
        saved = concurrent_ports.sinks.save(NEW.claimed(NOON), writer=f"run-{number}")
        return saved is not None

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(8))) == 1
    assert kept(concurrent_ports).version == 1


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(ports: Ports) -> None:
    ports.sinks.create(NEW)
    claimed = ports.sinks.save(NEW.claimed(NOON), writer=OWN)
    assert claimed is not None
    assert ports.sinks.save(NEW.claimed(NOON), writer=OWN) == claimed
    taken = claimed.published(Window(NOON).plus(1), until=NOON)
    saved = ports.sinks.save(taken, writer=OWN)
    assert saved is not None
    assert ports.sinks.save(taken, writer=OWN) == saved
    assert kept(ports) == saved
    assert saved.version == 2


def test_the_same_write_of_another_is_no_ones_own(ports: Ports) -> None:
    ports.sinks.create(NEW)
    assert ports.sinks.save(NEW.claimed(NOON), writer=OWN) is not None
    assert ports.sinks.save(NEW.claimed(NOON), writer=OTHER) is None


def test_it_is_known_also_when_others_have_written_much_meanwhile(ports: Ports) -> None:
    ports.sinks.create(NEW)
    released = ports.sinks.save(NEW.published(Window(NOON).plus(1), until=None), writer=OWN)
    cursor = released
    for number in range(30):
        assert cursor is not None
        moved = cursor.published(cursor.published_through.plus(1), until=NOON)
        cursor = ports.sinks.save(moved, writer=OTHER if number < 29 else "third")
    again = ports.sinks.save(NEW.published(Window(NOON).plus(1), until=None), writer=OWN)
    assert again == released
    assert kept(ports) == cursor


def test_an_earlier_write_of_ones_own_does_not_stand_for_a_later_one(ports: Ports) -> None:
    ports.sinks.create(NEW)
    claimed = ports.sinks.save(NEW.claimed(NOON), writer=OWN)
    assert claimed is not None
    other = ports.sinks.save(claimed.released(), writer=OTHER)
    assert ports.sinks.save(claimed.published(Window(NOON).plus(1), until=NOON), writer=OWN) is None
    assert kept(ports) == other


def test_a_sink_that_is_made_twice_stays_as_others_have_left_it(ports: Ports) -> None:
    ports.sinks.create(NEW)
    claimed = ports.sinks.save(NEW.claimed(NOON), writer=OTHER)
    ports.sinks.create(NEW)
    assert kept(ports) == claimed
