"""`python -m tandem_tools`: what make's run, token, down and build call, and `listen`."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from types import FrameType
from urllib.parse import urlsplit

from tandem_tools.build.sam import build, sizes_table
from tandem_tools.build.settings import ARCHITECTURES
from tandem_tools.errors import ToolError
from tandem_tools.paths import BUILD
from tandem_tools.ports import LISTEN_PORT, LOOPBACK
from tandem_tools.run.commands import down, token, up


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    _talk_to_this_machine_directly()
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


def _talk_to_this_machine_directly() -> None:
    """Let no proxy of the environment stand before the stack, in whatever these commands start."""
    for name in ("NO_PROXY", "no_proxy"):
        known = os.environ.get(name, "")
        os.environ[name] = ",".join(filter(None, (known, LOOPBACK, "localhost")))


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

    hear = commands.add_parser("listen", help="receive callbacks on this machine")
    hear.add_argument("--port", type=int, default=LISTEN_PORT, help=f"to listen on ({LISTEN_PORT})")
    hear.add_argument("--body", action="store_true", help="show each callback's body")
    hear.add_argument("--key", default="", help="verify with this key (by default the stack's)")
    answers = hear.add_mutually_exclusive_group()
    answers.add_argument(
        "--answer", type=_statuses, default=(HTTPStatus.NO_CONTENT,), help="500,500,204: in turn"
    )
    answers.add_argument(
        "--forward", type=_http_url, metavar="URL", help="hand them on to a service"
    )
    hear.set_defaults(command=_listen)

    make = commands.add_parser("build", help="build what is deployed")
    make.add_argument("--architecture", choices=ARCHITECTURES, default="arm64")
    make.set_defaults(command=lambda chosen: _build(chosen.architecture))
    return parser


def _build(architecture: str) -> None:
    changed = build(architecture)
    print(f"{BUILD}: {'built' if changed else 'unchanged'} for {architecture}\n")
    print(sizes_table(architecture))


def _statuses(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[2-5][0-9]{2}(,[2-5][0-9]{2})*", text):
        message = f"{text!r} is no list of statuses such as 500,500,204"
        raise argparse.ArgumentTypeError(message)
    return tuple(int(part) for part in text.split(","))


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        (parts.hostname or "").encode("idna")  # which refuses what no resolver takes
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        message = f"{text!r} is no URL such as http://127.0.0.1:3000/hooks"
        raise argparse.ArgumentTypeError(message)
    return text


def _listen(chosen: argparse.Namespace) -> None:
    from tandem_tools.run.listen import listen

    listen(chosen.port, chosen.answer, chosen.forward or "", chosen.key, shows_body=chosen.body)
