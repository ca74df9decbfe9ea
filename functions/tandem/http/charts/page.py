"""The whole picture: a head, and the panels."""

from xml.etree.ElementTree import Element, tostring

from tandem.http.charts.elements import STYLE, add
from tandem.http.charts.last_hour import OUTCOMES, Hour
from tandem.http.charts.panels import WIDTH, draw_levels, draw_run_times, draw_tasks
from tandem.http.charts.scales import duration

HEIGHT = 628
_NAMESPACE = "http://www.w3.org/2000/svg"


def drawn(hour: Hour) -> str:
    """Return the picture of an hour as an SVG document."""
    svg = Element(
        "svg",
        {
            "xmlns": _NAMESPACE,
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "role": "img",
            "aria-labelledby": "title description",
        },
    )
    add(svg, "title", f"Tandem, {_span(hour)}", id="title")
    add(svg, "desc", " ".join(_description(hour)), id="description")
    add(svg, "style").text = STYLE
    add(svg, "rect", width=WIDTH, height=HEIGHT, class_="ground")
    add(svg, "text", f"Tandem, {_span(hour)}", x=16, y=30, class_="ink title")
    add(svg, "text", _totals(hour), x=16, y=52, class_="soft")
    draw_tasks(svg, hour, top=96, height=170)
    draw_run_times(svg, hour, top=330, height=120)
    draw_levels(svg, hour, top=514, height=86)
    return tostring(svg, encoding="unicode")


def _span(hour: Hour) -> str:
    same_day = hour.end.date() == hour.start.date()
    end = f"{hour.end:%H:%M}" if same_day else f"{hour.end:%Y-%m-%d %H:%M}"
    return f"{hour.start:%Y-%m-%d %H:%M} to {end} UTC"


def _totals(hour: Hour) -> str:
    outcomes = hour.outcomes
    total = outcomes.total()
    ended = ", ".join(f"{outcomes[outcome]:,} {outcome}" for outcome in OUTCOMES)
    late = f"; {hour.late:,} counted a little late" if hour.late else ""
    return f"{total:,} {'task' if total == 1 else 'tasks'}: {ended}{late}"


def _description(hour: Hour) -> list[str]:
    """Return what there is to see, in sentences for those who do not see it."""
    said = [f"{_totals(hour)}."]
    busiest = max(hour.minutes, key=lambda minute: minute.outcomes.total())
    if most := busiest.outcomes.total():
        said.append(f"Most in one minute: {most:,} at {busiest.window.start:%H:%M}.")
    if hour.open:
        said.append(f"{hour.open} of {len(hour.minutes)} minutes are not closed.")
    slowest = [
        (seconds, name, minute)
        for minute in hour.minutes
        for name in hour.processors
        if (seconds := minute.p95_seconds(name)) is not None
    ]
    if slowest:
        seconds, name, minute = max(slowest, key=lambda one: one[0])
        at = f"{minute.window.start:%H:%M}"
        said.append(f"Slowest: {name} at {at}, 95 of 100 tasks within {duration(seconds)}.")
    levels = hour.levels
    if levels is not None:
        levels_by_name = {
            "waiting": levels.waiting,
            "in flight": levels.in_flight,
            "dead letters": levels.dead_letters,
        }
        known = [f"{level:,} {name}" for name, level in levels_by_name.items() if level is not None]
        if known:
            said.append(f"Last seen: {', '.join(known)}.")
    return said
