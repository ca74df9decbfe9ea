"""The picture of the last hour, read back as a document: what is drawn is what was counted."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.http.charts.elements import STYLE, STYLE_HASH
from tandem.http.charts.last_hour import MINUTES, Hour, last_minute
from tandem.http.charts.page import HEIGHT, drawn
from tandem.http.charts.panels import WIDTH
from tandem.http.charts.scales import duration, number, of_counts, of_durations
from tandem.reports.counts import Count, Series
from tandem.reports.report import Levels, Report
from tandem.reports.tally import Durations, Percentiles
from tandem.reports.window import Window
from tandem.tasks.task import Mode, State
from tandem_tools.harness.tasks import NOON
from tests.unit.http.conftest import Api

SVG = "{http://www.w3.org/2000/svg}"
FUNCTIONS = Path(__file__).parents[3] / "functions"
FIRST = Window(NOON)
LAST = FIRST.plus(MINUTES - 1)
LEVELS = Levels(
    waiting=3, delayed=2, in_flight=1, dead_letters=4, oldest_waiting_seconds=5.5, swept=6
)
type Counts = Mapping[tuple[str, State], int]


def report(
    minute: int,
    counts: Counts,
    p95_seconds: Mapping[str, float] | None = None,
    levels: Levels | None = LEVELS,
) -> Report:
    series = {
        Series(processor, Mode.OFFLINE, outcome): Count(tasks=tasks)
        for (processor, outcome), tasks in counts.items()
    }
    durations = {
        processor: Durations(None, Percentiles(seconds / 2, seconds, seconds))
        for processor, seconds in (p95_seconds or {}).items()
    }
    return Report(FIRST.plus(minute), NOON, series, durations, levels=levels)


def picture(*reports: Report) -> Element:
    return fromstring(drawn(Hour(reports, LAST)))  # noqa: S314 - our own document


def classes(element: Element) -> set[str]:
    return set(element.get("class", "").split())


def texts(svg: Element) -> list[str]:
    return ["".join(one.itertext()) for one in svg.iter(f"{SVG}text")]


def task_height(svg: Element) -> float:
    """Return how high one task is, from the words of the first panel's scale."""
    ticks = [one for one in svg.iter(f"{SVG}text") if "tick" in classes(one)]
    zeros = [place for place, one in enumerate(ticks) if one.text == "0"]
    low, high = ticks[zeros[0]], ticks[zeros[0] + 1]
    assert high.text is not None
    value = float(high.text.replace(",", ""))
    return (float(low.get("y", "")) - float(high.get("y", ""))) / value


def drawn_bars(svg: Element) -> dict[str, Counter[str]]:
    """Return how many tasks the bars of each minute stand for."""
    of_task = task_height(svg)
    found = {}
    for group in svg.iter(f"{SVG}g"):
        title = group.findtext(f"{SVG}title") or ""
        bars: Counter[str] = Counter()
        top = None
        for bar in group.iter(f"{SVG}rect"):
            if "mark" in classes(bar):
                continue
            (outcome,) = classes(bar) - {"area"}
            y, height = float(bar.get("y", "")), float(bar.get("height", ""))
            assert top is None or y + height == pytest.approx(top, abs=0.02), "one on the other"
            top = y
            bars[outcome] = round(height / of_task)
            assert height / of_task == pytest.approx(bars[outcome], abs=0.02 / of_task)
        found[title.partition(" ")[0]] = bars
    return found


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([one for one in State if one.final])),
    st.integers(1, 2000),
)


@settings(deadline=None)  # it would measure the machine
@given(st.dictionaries(st.integers(0, MINUTES - 1), COUNTS, max_size=8))
def test_bars_are_as_high_as_the_counts(hour: dict[int, Counts]) -> None:
    wanted = {}
    for minute, counts in hour.items():
        outcomes: Counter[str] = Counter()
        for (_, outcome), tasks in counts.items():
            outcomes[outcome.value] += tasks
        if outcomes:
            wanted[f"12:{minute:02}"] = outcomes
    svg = picture(*(report(minute, counts) for minute, counts in hour.items()))
    assert drawn_bars(svg) == wanted
    assert sum(map(Counter.total, wanted.values())) == int(
        re.sub(r"\D", "", texts(svg)[1].partition(" task")[0])
    )


def test_minutes_that_are_not_closed_are_gaps() -> None:
    svg = picture(report(0, {}), report(59, {("a", State.SUCCEEDED): 1}, {"a": 1.0}))
    gaps = [one for one in svg.iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]
    assert len(gaps) == 3 * 58
    assert "minutes not closed" in texts(svg)
    closed = picture(*(report(minute, {}) for minute in range(MINUTES)))
    assert "minutes not closed" not in texts(closed)


def test_lines_break_where_nothing_is_known() -> None:
    known = {0: 1.0, 1: 2.0, 3: 1.0}
    reports = [
        report(minute, {("a", State.SUCCEEDED): 1}, {"a": known[minute]} if minute in known else {})
        for minute in range(5)
    ]
    (line,) = [
        one for one in picture(*reports).iter(f"{SVG}path") if one.findtext(f"{SVG}title") == "a"
    ]
    assert re.sub(r"[\d. ]", "", line.get("d", "")) == "MLM"


def words_beyond(svg: Element) -> Iterable[str]:
    """Yield the texts that stand out of the picture, if each letter is as wide as wide ones are."""
    for one in svg.iter(f"{SVG}text"):
        shown = (one.text or "") + "".join(child.tail or "" for child in one)
        size = 17 if "title" in classes(one) else 12
        width, x = len(shown) * size * 0.62, float(one.get("x", ""))
        start = x - {"end": width, "middle": width / 2}.get(one.get("text-anchor", ""), 0)
        inside = start >= 0 and start + width <= WIDTH
        if not inside or not size <= float(one.get("y", "")) <= HEIGHT - 4:
            yield shown


def full_hour(names: list[str], tasks: int, seconds: float) -> list[Report]:
    return [
        report(
            minute,
            {(name, state): tasks for name in names for state in State if state.final},
            {name: seconds * 3**place for place, name in enumerate(names)},
            Levels(
                waiting=tasks * 7,
                delayed=0,
                in_flight=tasks,
                dead_letters=0,
                oldest_waiting_seconds=0,
                swept=0,
            ),
        )
        for minute in range(MINUTES)
    ]


@pytest.mark.parametrize(
    "reports",
    [
        [],
        [report(59, {("a", State.FAILED): 1}, {"a": 0.0})],
        full_hour(["a"], 0, 0.001),
        full_hour([f"processor-{one}-{'w' * 64}" for one in range(40)], 10**12, 0.0004),
        full_hour(["days"], 999_950, 10**6),
    ],
    ids=["nothing", "one", "zeros", "huge", "long"],
)
def test_every_text_stays_in_the_picture(reports: list[Report]) -> None:
    svg = picture(*reports)
    assert list(words_beyond(svg)) == []
    for one in svg.iter():
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            assert 0 <= float(one.get(name, "0")) <= WIDTH


def test_a_name_is_a_text_whatever_it_holds() -> None:
    name = "<script>alert('1')</script>&\"\x00"
    svg = picture(report(59, {(name, State.SUCCEEDED): 1}, {name: 1.0}))
    assert not list(svg.iter(f"{SVG}script"))
    assert name.replace("\x00", "\ufffd") in "".join(svg.itertext())


def test_a_level_that_is_not_known_has_no_line_and_is_not_said() -> None:
    unknown = replace(LEVELS, waiting=None, in_flight=None)
    svg = picture(report(58, {}, {}, unknown), report(59, {}, {}, unknown))
    words = " ".join(svg.itertext())
    assert f"Last seen: {LEVELS.dead_letters} dead letters." in words
    assert "None" not in words
    assert [one.text for one in svg.iter(f"{SVG}text")].count("?") == 2
    svg = picture(report(59, {}, {}, replace(unknown, dead_letters=None)))
    words = " ".join(svg.itertext())
    assert "Last seen" not in words
    assert "Not known" in words


def test_it_says_in_words_what_there_is_to_see() -> None:
    svg = picture(
        report(3, {("a", State.SUCCEEDED): 7, ("b", State.FAILED): 1}, {"a": 0.25, "b": 75.0}),
        report(4, {("a", State.SUCCEEDED): 2}, {"a": 0.1}),
    )
    assert (svg.get("role"), svg.get("aria-labelledby")) == ("img", "title description")
    assert svg.findtext(f"{SVG}title") == "Tandem, 2026-01-01 12:00 to 13:00 UTC"
    assert svg.findtext(f"{SVG}desc") == (
        "10 tasks: 9 succeeded, 1 failed, 0 cancelled. Most in one minute: 8 at 12:03. "
        "58 of 60 minutes are not closed. Slowest: b at 12:03, 95 of 100 tasks within 75 s. "
        "Last seen: 3 waiting, 1 in flight, 4 dead letters."
    )


@given(st.lists(st.integers(0, 10**15), max_size=5))
def test_counts_have_a_scale_that_holds_them(values: list[int]) -> None:
    scale = of_counts(values)
    assert 2 <= len(scale.ticks) <= 6
    assert scale.place(0) == 0
    assert all(0 <= scale.place(value) <= 1 for value in values)
    assert max(values, default=0) <= scale.ticks[-1][0]
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)


@given(st.lists(st.floats(0, 10**7), max_size=5))
def test_durations_have_a_scale_of_decades(values: list[float]) -> None:
    scale = of_durations(values)
    assert 2 <= len(scale.ticks) <= 8
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert max(values, default=0) <= scale.ticks[-1][0] * 1.000_001


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10k"),
        (999_949, "999.9k"),
        (999_950, "1M"),
        (2_657_672_521, "2.7G"),
        (10**18, "1,000P"),
    ],
)
def test_numbers_are_short(value: int, word: str) -> None:
    assert number(value) == word


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        (0, "0 ms"),
        (0.0049, "4.9 ms"),
        (0.9999, "1 s"),
        (75, "75 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (10**6, "277.8 h"),
    ],
)
def test_durations_are_short(seconds: float, word: str) -> None:
    assert duration(seconds) == word


def test_the_hour_waits_for_a_minute_that_is_on_time_and_shows_one_that_is_not() -> None:
    now = NOON.replace(minute=30, second=30)
    on_time = Window(NOON.replace(minute=28))
    assert last_minute(on_time, now) == on_time
    assert last_minute(on_time.plus(-20), now) == on_time.plus(-1)


def get(api: Api, **options: object) -> Element:
    answer = api("GET", "/reports/latest.svg", **options)
    assert answer.status == 200
    return fromstring(answer.text)  # noqa: S314 - our own document


def test_the_picture_is_served_tight_and_kept_for_a_moment(api: Api) -> None:
    assert api("GET", "/reports/latest.svg").problem == "not-found"
    api("POST", "/process-online", {"processor": "echo", "input": {"message": 1}})
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due())
    answer = api("GET", "/reports/latest.svg", headers={"accept": "image/svg+xml"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "private, max-age=15"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; style-src {STYLE_HASH}; frame-ancestors 'none'; sandbox"
    )
    svg = fromstring(answer.text)  # noqa: S314 - our own document
    assert svg.findtext(f"{SVG}style") == STYLE
    assert drawn_bars(svg) == {"12:00": Counter(succeeded=1)}
    assert "echo" in texts(svg)
    again = {"if-none-match": answer.headers["etag"]}
    unchanged = api("GET", "/reports/latest.svg", headers=again)
    assert (unchanged.status, unchanged.text) == (304, "")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("image/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/json", 406),
        ("image/svg+xml;q=0, */*", 406),
    ],
)
def test_the_caller_says_whether_it_takes_a_picture(api: Api, accept: str, status: int) -> None:
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due())
    answer = api("GET", "/reports/latest.svg", headers={"accept": accept})
    assert answer.status == status
    if status == 406:
        assert answer.problem == "not-acceptable"


def test_an_hour_of_minutes_that_nobody_closed_is_shown_as_such(api: Api) -> None:
    api.wiring.clock.advance(70)
    list(api.wiring.reports.close_due())
    api.wiring.clock.advance(3 * 3600)
    assert "60 of 60 minutes are not closed." in (get(api).findtext(f"{SVG}desc") or "")


def test_no_cold_start_brings_the_picture() -> None:
    program = (
        "import sys, tandem.handlers.api; "
        "print(*[m for m in sys.modules if 'charts' in m or 'xml' in m])"
    )
    found = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == ""
