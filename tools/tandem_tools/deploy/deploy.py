"""`make deploy`: build, deploy what was built, and look whether it answers."""

import hashlib
import json
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.build.processors import require_processors
from tandem_tools.build.sam import build, fingerprint
from tandem_tools.deploy.alarms import require_quiet
from tandem_tools.deploy.aws import Account, api_url
from tandem_tools.deploy.changes import ChangeSet, upload
from tandem_tools.deploy.environments import WORKER_TIMEOUT, Environment
from tandem_tools.deploy.parameters import pairs
from tandem_tools.deploy.quotas import require_room
from tandem_tools.deploy.refusals import cut_short
from tandem_tools.deploy.stacks import kind_of_change
from tandem_tools.deploy.versions import delete_old_versions
from tandem_tools.errors import ToolError
from tandem_tools.errors import ask as asked
from tandem_tools.paths import BUILD, PROJECT
from tandem_tools.run.deployment import pack
from tandem_tools.settings.stack import require_settings
from tandem_tools.template import load_template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

HEALTHY_WITHIN_SECONDS = 180

PROTECTION = "DeletionProtection"
"""The parameter that is off in a stack's first deployment, which could not be rolled back else."""


def deploy(name: str, parameters: str, *, ask: bool = True) -> None:
    """Deploy an environment, print the stack's outputs, and ask the API for its health.

    Args:
        name: the environment's.
        parameters: more of the template's, `Name=value` with blanks between.
        ask: show production's changes and wait for a yes before making them.

    Raises:
        ToolError: it was refused, failed, or does not answer.
    """
    environment = Environment.read(name)
    values = environment.parameters(pairs(parameters))
    if environment.production:
        require_committed(PROJECT)
    worker_seconds = float(values[WORKER_TIMEOUT])
    require_processors(PROJECT / "functions", worker_seconds)
    account = Account()
    print(f"{environment.stack_name}: {account.identity()}")
    stack = account.stack(environment.stack_name)
    kind = kind_of_change(account, environment, stack)
    require_room(account, values)
    require_settings(account, environment)
    if kind == "UPDATE" and values["DeploymentType"] != "Direct":
        require_quiet(account, environment.stack_name, load_template())
    architecture = values["Architecture"]
    print(f"Building for {architecture} …", flush=True)
    build(architecture, worker_seconds=worker_seconds)
    values["Revision"] = revision(
        fingerprint(PROJECT, architecture), values, failed_at=failed_at(stack)
    )
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        template = pack(BUILD, Path(folder, "package"), compression=zipfile.ZIP_DEFLATED)
        template_url = upload(account, environment, template)
    unprotected = environment.production and kind == "CREATE"
    first = values | ({PROTECTION: "false"} if unprotected else {})
    changes = ChangeSet.create(account, environment, kind, template_url, first)
    if not changed(changes, ask=ask and environment.production):
        print("Nothing was changed.")
        return
    outputs = account.outputs(environment.stack_name)
    for key, value in sorted(outputs.items()):
        print(f"{key:<20} {value}")
    url = f"{api_url(outputs)}/health"
    if first == values:
        require_health(url)
    else:
        with cut_short(
            f"{environment.stack_name} is not protected from deletion yet: the next make deploy "
            "protects it."
        ):
            require_health(url)
            print("Protecting what holds data …", flush=True)
            protecting = ChangeSet.create(account, environment, "UPDATE", template_url, values)
            changed(protecting, ask=False)
    tidy(account, outputs)
    print(f"{url} answers: {environment.stack_name} is up, revision {values['Revision'][:10]}.")


def tidy(account: Account, outputs: Mapping[str, str]) -> None:
    """Delete old versions of the stack's functions. The release stands whether that goes well."""
    functions = [value for name, value in outputs.items() if name.endswith("FunctionName")]
    try:
        deleted = delete_old_versions(account, functions)
    except (BotoCoreError, ClientError) as error:
        print(f"Old versions of functions were left: {error}")
    else:
        print(f"{deleted} old versions of functions are deleted.")


def require_committed(project: Path) -> None:
    """Refuse a tree whose files are not those of a commit: what runs must be found again.

    Raises:
        ToolError: something is changed, or it is no checkout.
    """
    done = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or done.stdout.strip():
        what = (done.stderr if done.returncode else done.stdout).rstrip()
        raise ToolError(
            f"Production is deployed from a commit, and this tree is not one:\n{what}",
            "Commit it, or put it away: git stash --include-untracked",
        )


def revision(built: str, parameters: Mapping[str, str], *, failed_at: str = "") -> str:
    """Return a hash that changes with what was built and with every parameter of the functions.

    Where it changes, new versions of the functions are published. SAM by itself does not look at
    parameters: a new LogLevel would reach no version, and so no alias.

    Args:
        built: what the artifact is made of, as a hash.
        parameters: a value for each of the template's.
        failed_at: when the deployment before failed. Its versions are still there, and Lambda
            publishes none that is the same as the last.
    """
    seen = {name: value for name, value in parameters.items() if name != PROTECTION}
    document = json.dumps([built, dict(sorted(seen.items())), failed_at])
    return hashlib.sha256(document.encode()).hexdigest()


def failed_at(stack: "StackTypeDef | None") -> str:
    """Return when a stack's last deployment failed and was rolled back. Empty when it did not."""
    if stack is None or stack["StackStatus"] != "UPDATE_ROLLBACK_COMPLETE":
        return ""
    return stack["LastUpdatedTime"].isoformat()


def changed(changes: ChangeSet | None, *, ask: bool) -> bool:
    """Make the changes, if there are any, and return whether they were agreed to.

    Args:
        changes: what is to be changed.
        ask: wait for a yes before anything is changed.

    Raises:
        ToolError: the deployment failed.
    """
    if changes is None:
        print("There is nothing to change.")
        return True
    agreed = False
    try:
        print(f"Changes:\n{changes.table()}", flush=True)
        agreed = not ask or asked("Deploy these changes? [y/N] ").lower() in {"y", "yes"}
    finally:
        if not agreed:
            changes.discard()
    if not agreed:
        return False
    changes.execute()
    return True


def require_health(url: str) -> None:
    """Return when the API answers, which a new one may take a moment for.

    Raises:
        ToolError: it does not answer in time.
    """
    until = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while True:
        try:
            said = str(httpx2.get(url, timeout=90).raise_for_status().status_code)
        except httpx2.HTTPError as error:
            said = str(error)
        else:
            return
        if time.monotonic() > until:
            raise ToolError(
                f"{url} does not answer: {said}", "The function's log says why: sam logs"
            )
        time.sleep(2)
