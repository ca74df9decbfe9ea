"""How a route reaches the services."""

from typing import Annotated

from fastapi import Depends, Request

from tandem.wiring import Wiring


async def _wiring(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


Services = Annotated[Wiring, Depends(_wiring)]
