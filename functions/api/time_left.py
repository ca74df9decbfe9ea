"""How long a route may take: never longer than the function has."""

from fastapi import Request

from tandem.limits import SETTLE_SECONDS


def within_time_left(request: Request, seconds: float) -> float:
    """Return so many seconds, or what is left of the function's time to answer in."""
    context = request.scope.get("aws.context")
    if context is None:
        return seconds
    remaining: float = context.get_remaining_time_in_millis() / 1000
    return max(min(seconds, remaining - SETTLE_SECONDS), 0.0)
