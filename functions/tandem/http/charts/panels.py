"""The three panels of the picture, one below the other over the same minutes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from tandem.http.charts.elements import COLOURS, add, cut
from tandem.http.charts.last_hour import MINUTES, OUTCOMES, Hour, Minute
from tandem.http.charts.scales import Scale, duration, number, of_counts, of_durations
from tandem.tasks.task import State

WIDTH = 960
LEFT, RIGHT = 64, 724
"""Where the minutes begin and end. Words for the lines and bars stand beside them."""
SLOT = (RIGHT - LEFT) / MINUTES

_BESIDE = RIGHT + 16
_LINE_HEIGHT = 17
_NAME_CHARACTERS = 19
_MOST_LINES = len(COLOURS)
_LABEL_EVERY_MINUTES = 10

type Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """A place for bars or lines."""

    svg: Element
    hour: Hour
    top: int
    height: int
    scale: Scale

    @property
    def bottom(self) -> int:
        """Where it ends, and the hours stand below."""
        return self.top + self.height

    def frame(self, title: str) -> None:
        """Draw what is behind: the title, minutes that are not closed, the grid and its words."""
        add(self.svg, "text", title, x=LEFT, y=self.top - 12, class_="ink panel")
        for number_, minute in enumerate(self.hour.minutes):
            if minute.report is None:
                gap = add(self.svg, "rect", **self._slot(number_), class_="gap")
                add(gap, "title", f"{_clock(minute)} not closed")
        for value, word in self.scale.ticks:
            y = self.y(value)
            add(self.svg, "line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="grid")
            add(self.svg, "text", word, x=LEFT - 6, y=y + 4, text_anchor="end", class_="soft tick")
        for number_, minute in enumerate(self.hour.minutes):
            if minute.window.start.minute % _LABEL_EVERY_MINUTES == 0:
                x = LEFT + number_ * SLOT
                add(self.svg, "line", x1=x, x2=x, y1=self.bottom, y2=self.bottom + 4, class_="grid")
                self._say(_clock(minute), x, self.bottom + 18)

    def y(self, value: float) -> float:
        """Return where a value stands."""
        return self.bottom - self.scale.place(value) * self.height

    def line(self, values: Values, colour: str, name: str) -> None:
        """Draw a line through the middle of each minute, broken where there is no value."""
        steps: list[str] = []
        for number_, value in enumerate(values):
            if value is None:
                continue
            x, y = LEFT + (number_ + 0.5) * SLOT, self.y(value)
            after, before = (_at(values, number_ + step) is not None for step in (1, -1))
            steps.append(f"{'L' if before else 'M'}{x:.2f} {y:.2f}")
            if not before and not after:
                add(self.svg, "circle", cx=x, cy=y, r=2, class_=f"area {colour}")
        if steps:
            add(add(self.svg, "path", d="".join(steps), class_=f"line {colour}"), "title", name)

    def beside(self, line: int, word: str, value: str, colour: str) -> None:
        """Write what a colour stands for, and how much of it there is."""
        y = self.top + 10 + line * _LINE_HEIGHT
        if colour:
            add(self.svg, "rect", x=_BESIDE, y=y - 9, width=10, height=10, class_=colour)
        shown = cut(word, _NAME_CHARACTERS if value else 2 * _NAME_CHARACTERS)
        text = add(self.svg, "text", shown, x=_BESIDE + 16, y=y, class_="ink")
        if shown != word:
            text.text = None
            add(text, "title", word).tail = shown
        add(self.svg, "text", value, x=WIDTH - 16, y=y, text_anchor="end", class_="ink")

    def nothing(self, why: str) -> None:
        """Say why there is nothing to see."""
        self._say(why, (LEFT + RIGHT) / 2, self.top + self.height / 2 + 4)

    def _say(self, text: str, middle: float, y: float) -> None:
        add(self.svg, "text", text, x=middle, y=y, text_anchor="middle", class_="soft")

    def _slot(self, number_: int) -> dict[str, float]:
        place = {"x": LEFT + number_ * SLOT, "y": self.top}
        return place | {"width": SLOT, "height": self.height}


def draw_tasks(svg: Element, hour: Hour, top: int, height: int) -> None:
    """Draw a bar for each minute: its tasks by outcome, one on the other."""
    totals = [minute.outcomes.total() for minute in hour.minutes]
    panel = Panel(svg, hour, top, height, of_counts(totals))
    panel.frame("Tasks per minute")
    for number_, minute in enumerate(hour.minutes):
        if minute.report is not None:
            _bar(panel, number_, minute)
    for line, state in enumerate(OUTCOMES):
        panel.beside(line, state.value, number(hour.outcomes[state]), f"area {state.value}")
    if hour.open:
        panel.beside(len(OUTCOMES), "minutes not closed", str(hour.open), "gap")
    if not sum(totals):
        panel.nothing("No task was counted.")


def _bar(panel: Panel, number_: int, minute: Minute) -> None:
    outcomes = minute.outcomes
    if not outcomes.total():
        return
    ended = ", ".join(
        f"{outcomes[outcome]:,} {outcome}" for outcome in OUTCOMES if outcomes[outcome]
    )
    group = add(panel.svg, "g", class_="minute")
    add(group, "title", f"{_clock(minute)} {ended}")
    place = {"x": LEFT + number_ * SLOT + 1, "width": SLOT - 2}
    below = 0
    for state in OUTCOMES:
        if outcomes[state]:
            y = panel.y(below + outcomes[state])
            height = panel.y(below) - y
            add(group, "rect", **place, y=y, height=height, class_=f"area {state.value}")
            below += outcomes[state]
    if outcomes[State.FAILED]:
        # A mark below: a few that failed among thousands would be thinner than a line.
        add(group, "rect", **place, y=panel.bottom + 1, height=3, class_="area failed mark")


def draw_run_times(svg: Element, hour: Hour, top: int, height: int) -> None:
    """Draw a line for each of the processors with most tasks: how long they ran."""
    shown = hour.processors[:_MOST_LINES]
    lines = {name: [minute.p95_seconds(name) for minute in hour.minutes] for name in shown}
    known = [value for values in lines.values() for value in values if value is not None]
    panel = Panel(svg, hour, top, height, of_durations(known))
    panel.frame("Run time: 95 of 100 tasks ran at most so long")
    for line, (name, values) in enumerate(lines.items()):
        panel.line(values, COLOURS[line], name)
        panel.beside(line, name, duration(_last(values)), f"area {COLOURS[line]}")
    if more := len(hour.processors) - len(shown):
        panel.beside(_MOST_LINES, f"and {more} with fewer tasks", "", "")
    if not known:
        panel.nothing("No task has run.")


def draw_levels(svg: Element, hour: Hour, top: int, height: int) -> None:
    """Draw what waited, what was in flight, and what had been given up."""
    lines = [[part(minute) for minute in hour.minutes] for _, part in _LEVELS]
    known = [value for values in lines for value in values if value is not None]
    panel = Panel(svg, hour, top, height, of_counts(known))
    panel.frame("When each minute was closed")
    for line, ((name, _), values) in enumerate(zip(_LEVELS, lines, strict=True)):
        panel.line(values, COLOURS[line], name)
        if known:
            last = number(_last(values)) if any(value is not None for value in values) else "?"
            panel.beside(line, name, last, f"area {COLOURS[line]}")
    if not known:
        panel.nothing("Not known: no minute was closed in time.")


def _level(name: str) -> Callable[[Minute], int | None]:
    def part(minute: Minute) -> int | None:
        level: int | None = getattr(minute.levels, name, None)
        return level

    return part


_LEVELS = (
    ("waiting", _level("waiting")),
    ("in flight", _level("in_flight")),
    ("dead letters", _level("dead_letters")),
)


def _at(values: Values, place: int) -> float | None:
    return values[place] if 0 <= place < len(values) else None


def _last(values: Values) -> float:
    return next((value for value in reversed(values) if value is not None), 0.0)


def _clock(minute: Minute) -> str:
    return f"{minute.window.start:%H:%M}"
