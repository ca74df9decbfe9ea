"""`python -m tandem_tools COMMAND`: the developer's commands, which make calls.

Each command imports what it needs and nothing of the others: `sam build` runs `artifact` with a
Python that has pip and no other package.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from tandem_tools.paths import CHECKOUT

COMMANDS = {
    "up": ("tandem_tools.run.cli", "build, start and deploy the stack on this machine"),
    "token": ("tandem_tools.run.cli", "print an access token of the running stack"),
    "down": ("tandem_tools.run.cli", "stop the running stack"),
    "listen": ("tandem_tools.run.cli", "receive callbacks on this machine"),
    "build": ("tandem_tools.run.cli", "build what is deployed, by sam build"),
    "artifact": ("tandem_tools.build.cli", "make the code of the functions: sam build calls it"),
    "deploy": ("tandem_tools.deploy.cli", "deploy to AWS"),
    "destroy": ("tandem_tools.deploy.cli", "delete a deployment"),
    "restore": ("tandem_tools.deploy.cli", "bring a deployment's table back to a moment"),
    "prove": ("tandem_tools.deploy.cli", "prove on AWS what never ran there"),
    "settings": ("tandem_tools.settings.cli", "set, list and check the settings of processors"),
    "stored": ("tandem_tools.deploy.cli", "compare what stacks keep with the last release"),
    "costs": ("tandem_tools.deploy.cli", "print the costs of a million tasks, and at rest"),
    "budget": ("tandem_tools.check.budget", "count what each function imports"),
    "prose": ("tandem_tools.check.prose", "check docstrings and pages by CONTRIBUTING.md"),
    "deployments": ("tandem_tools.check.deployments", "lint each kind of deployment"),
    "vulnerabilities": ("tandem_tools.check.vulnerabilities", "look for known vulnerabilities"),
    "compare-tables": ("tandem_tools.check.tables.cli", "compare the table processors with pandas"),
    "openapi": ("tandem_tools.contract.openapi", "write docs/openapi.json"),
    "configuration": ("tandem_tools.contract.configuration", "write docs/configuration.md"),
    "reference": ("tandem_tools.contract.reference.cli", "write docs/reference/api.md"),
    "fuzz": ("tandem_tools.contract.conformance.cli", "attack the API by its document"),
    "bench": ("tandem_tools.bench.cli", "measure"),
    "package": ("tandem_tools.project.packaging", "make the wheels of the three distributions"),
    "environments": ("tandem_tools.project.environments", "make the tools' environments"),
}
"""For each command its module and what it does."""
OF_TANDEM = frozenset({"costs", "package", "stored"})
"""Commands that work on Tandem's own repository. Those of modules that no wheel has are, too."""
SHARED = frozenset({"tandem_tools.run.cli", "tandem_tools.deploy.cli"})
"""Modules of several commands, which read the command's name themselves."""


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    name, *rest = arguments or ("--help",)
    commands = {
        command: about for command, about in COMMANDS.items() if _is_here(command, about[0])
    }
    if name not in commands:
        listed = "\n".join(f"  {command:16}{does}" for command, (_, does) in commands.items())
        wanted = name in {"-h", "--help"}
        print(
            f"usage: python -m tandem_tools COMMAND …\n\n{listed}",
            file=sys.stdout if wanted else sys.stderr,
        )
        return 0 if wanted else 2
    module, _ = commands[name]
    code: int = import_module(module).main([name, *rest] if module in SHARED else rest)
    return code


def _is_here(command: str, module: str) -> bool:
    """Return whether a command works on this project, and its module is installed."""
    if CHECKOUT is None and command in OF_TANDEM:
        return False
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
