"""`python -m tandem_tools`: what make's deploy and destroy call, and the table of costs."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.deploy.costs import price_table, rest_table, table
from tandem_tools.deploy.deploy import deploy
from tandem_tools.deploy.destroy import destroy
from tandem_tools.deploy.environments import NAMES, PROVING
from tandem_tools.deploy.prove import prove
from tandem_tools.deploy.refusals import told
from tandem_tools.deploy.restore import restore
from tandem_tools.deploy.stored import check, write
from tandem_tools.errors import ToolError

_INTERRUPTED = 130
"""The exit code that shells give Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = chosen.command
    if region := os.environ.get("AWS_REGION"):  # which boto3 does not read, and the AWS CLI prefers
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        with _interruptible():
            command(chosen)
    except ToolError as error:
        _say(error, error)
        return 1
    except (BotoCoreError, ClientError) as error:
        _say(told(error), error)
        return 1
    except KeyboardInterrupt as error:
        _say("Interrupted.", error)
        return _INTERRUPTED
    return 0


def _say(what: object, error: BaseException) -> None:
    """Print an error, and below it what was said of how things stand."""
    notes = (f"  → {note}" for note in getattr(error, "__notes__", ()))
    print("", what, *notes, sep="\n", file=sys.stderr)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a signal to end, as a job that is cancelled gets it, be as Ctrl-C within the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tandem_tools", description=__doc__)
    commands = parser.add_subparsers(required=True)

    make = commands.add_parser("deploy", help="build, deploy, and ask for its health")
    make.add_argument("environment", choices=NAMES)
    make.add_argument(
        "--parameters",
        default=os.environ.get("PARAMETERS", ""),
        help="Name=value, with blanks between, in quotes as a shell takes them; or $PARAMETERS",
    )
    make.add_argument("--yes", action="store_true", help="do not ask before production changes")
    make.set_defaults(
        command=lambda chosen: deploy(chosen.environment, chosen.parameters, ask=not chosen.yes)
    )

    remove = commands.add_parser("destroy", help="delete a deployment")
    remove.add_argument("environment", choices=(*NAMES, PROVING))
    remove.add_argument("--confirm", default="", help="the stack's name, for production")
    remove.set_defaults(command=lambda chosen: destroy(chosen.environment, chosen.confirm))

    back = commands.add_parser("restore", help="bring a stack's table back to a moment")
    back.add_argument("environment", choices=NAMES)
    back.add_argument("--to", required=True, help="ISO 8601 with an offset")
    back.add_argument("--yes", action="store_true", help="do not ask")
    back.set_defaults(
        command=lambda chosen: restore(chosen.environment, chosen.to, ask=not chosen.yes)
    )

    show = commands.add_parser("prove", help="prove on AWS what never ran there, and report it")
    show.add_argument("--parameters", default=os.environ.get("PARAMETERS", ""))
    show.add_argument("--yes", action="store_true", help="do not ask before anything is made")
    show.set_defaults(command=lambda chosen: prove(chosen.parameters, ask=not chosen.yes))

    keep = commands.add_parser("stored", help="compare what stacks keep with the last release")
    keep.add_argument("--record", action="store_true", help="write the last release's record")
    keep.set_defaults(command=lambda chosen: write() if chosen.record else check())

    count = commands.add_parser("costs", help="print the costs of a million tasks, and at rest")
    count.set_defaults(command=lambda _: print(table(), rest_table(), price_table(), sep="\n\n"))
    return parser
