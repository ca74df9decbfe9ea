import asyncio
from collections.abc import Iterator

import pytest

from tandem_client import ClientCredentials, Tandem
from tests.client.service import CLIENTS, Service


@pytest.fixture
def service() -> Iterator[Service]:
    """The application on a socket of this machine."""
    running = Service()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses between tries, which take no time here."""
    taken: list[float] = []
    monkeypatch.setattr("tandem_client.connection.sleep", taken.append)
    return taken


@pytest.fixture
def auth(service: Service) -> ClientCredentials:
    return ClientCredentials(service.token_url, "machine", CLIENTS["machine"][0])


@pytest.fixture
def tandem(service: Service, auth: ClientCredentials, pauses: list[float]) -> Iterator[Tandem]:
    """The client of an ordinary tenant."""
    with Tandem(service.url, auth) as client:
        yield client


@pytest.fixture
def operator(service: Service) -> Iterator[Tandem]:
    """The client of an operator."""
    auth = ClientCredentials(service.token_url, "operator", CLIENTS["operator"][0])
    with Tandem(service.url, auth) as client:
        yield client


@pytest.fixture
def working(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service beside a worker that takes the queue whenever a caller waits."""
    sleep = asyncio.sleep

    async def work_meanwhile(seconds: float) -> None:
        await asyncio.to_thread(service.work)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr("tandem.http.submission.asyncio.sleep", work_meanwhile)
    return service
