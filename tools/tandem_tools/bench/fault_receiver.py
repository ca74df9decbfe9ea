"""A receiver of the outside effects that `ctx.once` makes: it loses some of its answers."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from typing import Any

from tandem_tools.ports import LOOPBACK

CHARGE = "/charge"
"""Honours the idempotency key: a request with a known one is answered as the first was."""
MAIL = "/mail"
"""Does not: each request has an effect."""
LOSSES = 2
"""Answers that it loses for one number at most: of five attempts, one gets through."""
LOSS_RATE = 0.3


@dataclass(frozen=True, slots=True)
class Booking:
    """An effect that happened."""

    place: str
    seed: int
    number: int
    key: str
    """The idempotency key of the request that it came from."""
    booking_id: str


@dataclass(slots=True)
class Bookings:
    """What the receiver has done. Many threads add to it."""

    made: list[Booking] = field(default_factory=list)
    requests: Counter[int] = field(default_factory=Counter)
    """By seed."""
    lost: Counter[tuple[int, int]] = field(default_factory=Counter)
    """The answers that were lost, by seed and number."""
    _by_key: dict[str, Booking] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def book(self, place: str, key: str, seed: int, number: int) -> Booking | None:
        """Have an effect and return it. None when the answer is to be lost."""
        with self._lock:
            self.requests[seed] += 1
            known = self._by_key.get(key) if place == CHARGE else None
            booking = known or self._new(place, key, seed, number)
            return None if self._loses(seed, number) else booking

    def of_seed(self, seed: int) -> list[Booking]:
        """Return the effects of one seed's tasks."""
        return [booking for booking in self.made if booking.seed == seed]

    def _new(self, place: str, key: str, seed: int, number: int) -> Booking:
        booking = Booking(place, seed, number, key, f"b{len(self.made) + 1}")
        self.made.append(booking)
        self._by_key[key] = booking
        return booking

    def _loses(self, seed: int, number: int) -> bool:
        losses = self.lost[seed, number]
        random = Random(f"{seed}/{number}/{losses}")  # noqa: S311 - repeatable on purpose
        if losses == LOSSES or random.random() >= LOSS_RATE:
            return False
        self.lost[seed, number] += 1
        return True


@dataclass(frozen=True, slots=True)
class EffectReceiver:
    """A running receiver."""

    url: str
    bookings: Bookings


@contextmanager
def effect_receiver() -> Iterator[EffectReceiver]:
    """Serve a receiver on loopback for as long as the block runs."""
    bookings = Bookings()
    server = _Server((LOOPBACK, 0), _handler(bookings))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield EffectReceiver(f"http://{LOOPBACK}:{server.server_address[1]}", bookings)
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that hangs up: workers are killed here."""


def _handler(bookings: Bookings) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            booking = bookings.book(
                self.path, self.headers["idempotency-key"], body["seed"], body["number"]
            )
            if booking is None:
                return  # the connection ends without an answer
            answer = json.dumps({"id": booking.booking_id}).encode()
            with suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    return Handler
