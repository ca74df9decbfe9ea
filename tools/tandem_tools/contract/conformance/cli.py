"""`python -m tandem_tools fuzz [--seed N] [--examples N]`: test a new stack for minutes."""

import argparse
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tandem_tools.contract.conformance.run import conforms
from tandem_tools.errors import ToolError
from tandem_tools.harness.stack import DeployedApp, deployed_app

EXAMPLES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tandem_tools fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    chosen = parser.parse_args(arguments)
    print(f"Again: make fuzz SEED={chosen.seed} EXAMPLES={chosen.examples}", flush=True)
    try:
        with TemporaryDirectory(prefix="conformance-") as name, stack(Path(name)) as app:
            done = conforms(app, Path(name), seed=chosen.seed, examples=chosen.examples, aloud=True)
    except ToolError as error:
        print(error, file=sys.stderr)
        return 1
    return done.returncode


@contextmanager
def stack(folder: Path) -> Iterator[DeployedApp]:
    """Start a stack with the application's own processors, and no others."""
    with deployed_app(folder / "stack", processors=()) as app:
        yield app
