"""The parts of a cold `GET /health`: one program, a step longer each time."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tandem_tools.bench.process import VALGRIND, program_cost, program_output
from tandem_tools.harness.function import Function
from tandem_tools.paths import BUILD, PROJECT

HEAVY = ("botocore", "aws_xray_sdk", "cryptography", "email_validator", "duckdb")

STEPS = {
    "Python itself": "import gc; gc.disable()",
    "Lambda's runtime client": "import awslambdaric.bootstrap",
    "FastAPI and Pydantic": "import fastapi",
    "Powertools' Logger": "import tandem.telemetry",
    "Mangum and asyncio": "import mangum",
    "settings and wiring": "import tandem.aws.wiring, tandem.settings; tandem.settings.settings()",
    "the application and its handler": "import tandem.handlers.api",
    "the first request: its resource, the event loop, the lifespan, the answer": (
        "answer = tandem.handlers.api.handler(EVENT, CONTEXT); "
        "assert answer['statusCode'] == 200, answer"
    ),
}
"""Each step's program. They look for no garbage, as the application's own start does not."""


def breakdown() -> dict[str, float]:
    """Return what each step adds: million instructions, or CPU seconds."""
    programs = list(STEPS.values())
    upto = ["; ".join(programs[: number + 1]) for number in range(len(programs))]
    with ThreadPoolExecutor(os.cpu_count() if VALGRIND else 1) as pool:
        costs = list(pool.map(_cost, upto))
    added = [cost - before for cost, before in zip(costs, [0.0, *costs], strict=False)]
    return dict(zip(STEPS, (round(cost, 3) for cost in added), strict=True))


def heavy_after_health() -> list[str]:
    """Return what of `HEAVY` is imported once `GET /health` is answered."""
    there = f"[name for name in {HEAVY} if name in sys.modules]"
    told = f"print(json.dumps({there}), file=OUTPUT, flush=True)"
    found: list[str] = json.loads(_run("; ".join([*STEPS.values(), told]), program_output))
    return found


def _cost(steps: str) -> float:
    return _run(
        f"{steps}; import time; print(time.process_time(), file=OUTPUT, flush=True)", program_cost
    )


def _run[T](steps: str, run: Callable[[Function, str, str], T]) -> T:
    """Run steps with the event and the context that they may use. What they log is not output."""
    event = json.dumps((PROJECT / "events" / "api-health.json").read_text())
    frame = (
        "import json, sys; from types import SimpleNamespace; "
        "OUTPUT, sys.stdout = sys.stdout, sys.stderr; "
        f"EVENT = json.loads({event}); "
        "CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 29000)"
    )
    function = Function(folder=BUILD / "ApiFunction", handler="")
    return run(function, "-c", f"{frame}; {steps}")
