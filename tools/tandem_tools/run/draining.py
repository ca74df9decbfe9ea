"""MiniStack, whose functions finish what runs when their code is updated, as AWS Lambda's do.

MiniStack ends every environment of a function at UpdateFunctionCode, busy ones too. Here a busy
one gets no more invocations, and ends with the invocation that it has.

The emulator's Python runs this file, which has MiniStack and not this package: `python -P`.
Remove it when MiniStack lets busy environments finish.
"""

# ruff: noqa: SLF001 - MiniStack has no public names for this

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from importlib import import_module
from typing import Any

LOOK_SECONDS = 0.1
MARGIN_SECONDS = 10
"""An environment has its function's timeout. One that is still there after that is ended."""

_updating = ContextVar("updating", default=False)


def drain_on_update(functions: Any, environments: Any) -> None:
    """Let the busy environments of a function finish where its code is updated.

    A change of configuration, a deletion and an error end them as before.

    Args:
        functions: the module `ministack.services.lambda_svc`.
        environments: the module `ministack.core.lambda_runtime`.
    """
    update: Callable[..., Any] = functions._update_code
    invalidate: Callable[..., None] = functions.invalidate_worker

    @wraps(update)
    def update_code(*args: Any, **kwargs: Any) -> Any:
        token = _updating.set(True)
        try:
            return update(*args, **kwargs)
        finally:
            _updating.reset(token)

    @wraps(invalidate)
    def invalidate_worker(
        func_name: str,
        qualifier: str | None = None,
        account: str | None = None,
        region: str | None = None,
    ) -> None:
        if not _updating.get():
            invalidate(func_name, qualifier=qualifier, account=account, region=region)
            return
        with environments._lock:
            # Out of the pool in one step: what looks for a free environment makes a new one.
            found = environments._workers.pop(f"{account}:{region}:{func_name}:{qualifier}", [])
            busy = [worker for worker in found if worker.in_use]
        environments.kill_workers([worker for worker in found if worker not in busy])
        if busy:
            drain = threading.Thread(target=_drain, args=(busy, environments), daemon=True)
            drain.start()

    functions._update_code = update_code
    functions.invalidate_worker = invalidate_worker


def _drain(busy: list[Any], environments: Any) -> None:
    """End each environment when it is free."""
    deadline = (
        time.monotonic() + max(float(worker.config["Timeout"]) for worker in busy) + MARGIN_SECONDS
    )
    while busy:
        time.sleep(LOOK_SECONDS)
        late = time.monotonic() > deadline
        ending = [worker for worker in busy if late or not worker.in_use]
        environments.kill_workers(ending)
        busy = [worker for worker in busy if worker not in ending]


def main() -> None:
    """Run MiniStack."""
    drain_on_update(
        import_module("ministack.services.lambda_svc"),
        import_module("ministack.core.lambda_runtime"),
    )
    import_module("ministack.app").main()


if __name__ == "__main__":
    main()
