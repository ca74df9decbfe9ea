"""The `tandem` command's commands."""

from importlib.metadata import entry_points

import typer

from tandem_client.cli import catalogue, login, operators, submitting, tasks

_EPILOG = """Exit codes: 0 done, 1 a problem (one line on stderr says which), 2 wrong usage, \
3 the task failed or was cancelled, 4 not ended within --timeout, 130 Ctrl-C."""

app = typer.Typer(
    name="tandem",
    help="Submit tasks to a Tandem API, follow them, and fetch their results.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(login.login)
app.command()(login.logout)
app.command()(catalogue.processors)
app.command()(submitting.submit)
app.command()(tasks.status)
app.command("list")(tasks.list_tasks)
app.command()(tasks.result)
app.command()(tasks.cancel)
app.command()(tasks.retry)
app.command()(tasks.delete)
app.add_typer(operators.dead_letters, name="dead-letters")
app.command()(operators.reports)
app.command()(catalogue.callback_keys)
app.command()(catalogue.health)
for more in entry_points(group="tandem.commands"):  # of packages that are installed beside it
    app.command(more.name)(more.load())
