"""`python -m tandem_tools`: what make's run, token, down, build and openapi call."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from tandem_tools.build.sam import build, sizes_table
from tandem_tools.build.settings import ARCHITECTURES
from tandem_tools.errors import ToolError
from tandem_tools.paths import BUILD
from tandem_tools.run.commands import down, token, up


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = chosen.command
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        command(chosen)
    except ToolError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Stop once, in order: an impatient second Ctrl-C must not leave the emulator behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tandem_tools", description=__doc__)
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser("up", help="build, start, deploy, try, and follow the logs")
    run.add_argument("--port", type=int, default=8000, help="of the API")
    run.add_argument("--stack-port", type=int, default=4566, help="of the emulator")
    run.set_defaults(command=lambda chosen: up(chosen.port, chosen.stack_port))

    ask = commands.add_parser("token", help="print a new access token of the running stack")
    ask.add_argument("--operator", action="store_true", help="with the operators' scopes")
    ask.set_defaults(command=lambda chosen: token(operator=chosen.operator))

    stop = commands.add_parser("down", help="stop the running stack")
    stop.set_defaults(command=lambda _: down())

    make = commands.add_parser("build", help="build what is deployed")
    make.add_argument("--architecture", choices=ARCHITECTURES, default="arm64")
    make.set_defaults(command=lambda chosen: _build(chosen.architecture))
    return parser


def _build(architecture: str) -> None:
    changed = build(architecture)
    print(f"{BUILD}: {'built' if changed else 'unchanged'} for {architecture}\n")
    print(sizes_table(architecture))
