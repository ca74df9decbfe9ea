"""A route's access to the services, and the time that it has for them."""

from typing import Annotated

from fastapi import Depends, Request

from tandem.aws.wiring import Wiring
from tandem.limits import SETTLE_SECONDS


def within_time_left(request: Request, seconds: float) -> float:
    """Return so many seconds, or what is left of the function's time to answer in."""
    context = request.scope.get("aws.context")
    if context is None:
        return seconds
    remaining: float = context.get_remaining_time_in_millis() / 1000
    return max(min(seconds, remaining - SETTLE_SECONDS), 0.0)


async def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


Services = Annotated[Wiring, Depends(_wiring)]
