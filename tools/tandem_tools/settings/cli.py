"""`python -m tandem_tools settings`: set, list and check the settings of processors on AWS."""

import argparse
import getpass
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.deploy.aws import Account
from tandem_tools.deploy.environments import NAMES, Environment
from tandem_tools.deploy.refusals import told
from tandem_tools.errors import ToolError
from tandem_tools.paths import COMMAND
from tandem_tools.settings.declared import declared
from tandem_tools.settings.stack import Body, SettingsSecret, refuse, secret_of

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if region := os.environ.get("AWS_REGION"):  # which boto3 does not read, and the AWS CLI prefers
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        chosen = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], None] = chosen.command
        command(chosen)
    except ToolError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"\n{told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was set.", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser that shows no word of a command: it may be a value, or a part of one."""

    def error(self, message: str) -> NoReturn:
        """End with what the command should be like."""
        del message
        self.print_usage(sys.stderr)
        self.exit(2, "Write NAME=value as one word, in quotes where the value has blanks.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=f"{COMMAND} settings", description=__doc__)
    commands = parser.add_subparsers(required=True)
    put = commands.add_parser(
        "set", help="set settings; NAME alone asks for its value, or reads it"
    )
    put.add_argument("settings", nargs="+", metavar="NAME[=value]")
    put.set_defaults(command=_set)
    show = commands.add_parser("list", help="show the names, and which processors need them")
    show.set_defaults(command=_list)
    check = commands.add_parser("check", help="hold what is set against the processors' models")
    check.set_defaults(command=_check)
    for command in (put, show, check):
        command.add_argument("--env", choices=NAMES, default="dev")
    return parser


def _set(chosen: argparse.Namespace) -> None:
    """Set settings, and show their names. An empty value takes a setting away."""
    environment = Environment.read(chosen.env)
    parted = [setting.partition("=") for setting in chosen.settings]
    if wrong := [place for place, (name, *_) in enumerate(parted, 1) if not _NAME.fullmatch(name)]:
        raise ToolError(
            f"Setting {wrong[0]} of the command has no name of capitals, digits and underscores.",
            "Write NAME, or NAME=value with no blank around the equals sign.",
        )
    account = Account()
    print(f"{environment.stack_name}: {account.identity()}")
    secret = secret_of(account, environment)
    alone = len(parted) == 1
    values = {
        name: value if equals else _asked(name, alone=alone) for name, equals, value in parted
    }

    for name, value in values.items():
        _require_text(name, value)

    def update(body: Body) -> Body:
        return {name: value for name, value in (body | values).items() if value != ""}

    with _truth_of(secret):
        secret.change(update)
    for name, value in values.items():
        print(f"{name} is {'set' if value else 'taken away'}.")
    print("Functions use it within SettingsMaxAgeSeconds, 5 minutes by default.")


@contextmanager
def _truth_of(secret: SettingsSecret) -> Iterator[None]:
    """Say of a change that was cut short that nobody knows what became of it, where that is so."""
    try:
        yield
    except (KeyboardInterrupt, BotoCoreError, ClientError) as error:
        if not secret.unsure or (isinstance(error, ClientError) and _is_refusal(error)):
            raise
        why = "Interrupted." if isinstance(error, KeyboardInterrupt) else told(error).problem
        raise ToolError(
            f"{why} Whether it was set is not known.",
            "Run it again: it changes nothing if it was.",
        ) from None


def _is_refusal(error: ClientError) -> bool:
    """Return whether AWS has not done what it answered with this error."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500


def _asked(name: str, *, alone: bool) -> str:
    """Return a value that is typed without being shown, or that another program writes.

    Raises:
        ToolError: there is none.
    """
    try:
        if sys.stdin.isatty():
            value = getpass.getpass(f"{name}: ")
        elif alone:
            value = sys.stdin.read().removesuffix("\n")
        else:
            value = sys.stdin.readline().removesuffix("\n")
    except UnicodeDecodeError:
        raise _no_text(name) from None
    if not value:
        raise ToolError(f"There is no value for {name}.", f"To take it away, write {name}=")
    return value


def _require_text(name: str, value: str) -> None:
    """Refuse what no document holds: Python keeps bytes of a command that are no text apart."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _no_text(name) from None


def _no_text(name: str) -> ToolError:
    return ToolError(
        f"What is given for {name} is no text in UTF-8.", "Encode it, such as in Base64."
    )


def _list(chosen: argparse.Namespace) -> None:
    """Print each name with how it stands, and the processors that name it."""
    environment = Environment.read(chosen.env)
    body = secret_of(Account(), environment).read().body
    present = {name for name, value in body.items() if value not in ("", None)}
    wanted = declared(body)
    needed = {name for settings in wanted.names.values() for name, must in settings.items() if must}
    names = {name for settings in wanted.names.values() for name in settings} | present
    if not names:
        print(f"{environment.stack_name} has no settings, and no processor declares any.")
    for name in sorted(names):
        state = "set" if name in present else "missing" if name in needed else "default"
        print(f"{name:<32} {state:<8} {', '.join(wanted.users(name)) or 'no processor'}")


def _check(chosen: argparse.Namespace) -> None:
    """Hold what is set against the models of the catalogue, and fail where it does not do."""
    environment = Environment.read(chosen.env)
    found = declared(secret_of(Account(), environment).read().body)
    refuse(found.lines(), environment)
    print(f"{environment.stack_name}: every processor has its settings.")
