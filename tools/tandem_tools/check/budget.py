"""The number of modules that each function imports, bounded by `python -m tandem_tools budget`.

What a start imports is most of what it costs, and a module more is easily added and hard to see.
The functions run from their sources, over doubles, with no package but those of requirements.txt.
The application's processors are not counted: they are its own to write.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

from tandem_tools.paths import PROJECT, TOOLS

BUDGET: dict[str, dict[str, int]] = {
    "api": {"import": 319, "GET /health": 5, "POST /process-online": 61},
    "worker": {"import": 215, "one message": 20},
    "callback": {"import": 181},
    "report": {"import": 198, "first tick": 22},
}
"""For each function and step, how many modules it may import that were not imported before."""
PROGRAM = Path(__file__).with_name("imported.py")
FUNCTIONS = ("api", "worker", "callback", "report")

HEAVY = ("boto3", "botocore.session", "aws_xray_sdk", "cryptography", "email_validator", "duckdb")
FORBIDDEN = dict.fromkeys(FUNCTIONS, HEAVY) | {"api": (*HEAVY, "botocore")}
"""What no step may import: it costs as much as all the rest, and few invocations need it.

Powertools imports the root of botocore, half a millisecond of it: ApiFunction's alone may not.
"""

type Steps = dict[str, list[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare what is imported with the budget, or list it. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tandem_tools budget", description=__doc__)
    parser.add_argument("--list", choices=FUNCTIONS, help="print the modules of a function instead")
    if function := parser.parse_args(arguments).list:
        for step, names in imported(function).items():
            print(step, *names, sep="\n  ")
        return 0
    found = {function: imported(function) for function in FUNCTIONS}
    faults = over(found, BUDGET)
    for fault in faults:
        print(fault, file=sys.stderr)
    for function, steps in found.items():
        counts = ", ".join(f"{len(names)} by {step}" for step, names in steps.items())
        print(f"{function} imports {counts}")
    return 1 if faults else 0


def imported(function: str) -> Steps:
    """Return the modules that each step of a function's start and first invocation imports."""
    blocked = json.dumps(_not_shipped())
    done = subprocess.run(
        [sys.executable, str(PROGRAM), function, blocked],
        cwd=PROJECT / "functions",
        env={"PYTHONPATH": f"{PROJECT / 'functions'}:{TOOLS}", "POWERTOOLS_SERVICE_NAME": "api"},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{function} did not start:\n{done.stderr}")
    # The functions log to the same place.
    line = next(line for line in done.stdout.splitlines() if line.startswith('{"import"'))
    steps: Steps = json.loads(line)
    return {
        step: [name for name in names if name.partition(".")[0] != "processors"]
        for step, names in steps.items()
    }


def over(found: dict[str, Steps], budget: dict[str, dict[str, int]]) -> list[str]:
    """Return what is wrong, a line for each step that imports more than its budget allows."""
    faults = []
    for function, steps in found.items():
        for step, names in steps.items():
            if heavy := [name for name in names if name in FORBIDDEN[function]]:
                faults.append(f"{function}: {step} imports {', '.join(heavy)}, which it may not.")
            if (more := len(names) - budget[function][step]) > 0:
                faults.append(
                    f"{function}: {step} imports {len(names)} modules, {more} more than it may. "
                    f"python -m tandem_tools budget --list {function} names them: import them "
                    "where they are needed, inside the function, or allow more in "
                    "tandem_tools/check/budget.py."
                )
    return faults


def _not_shipped() -> list[str]:
    """Return the modules of packages that this environment has and the functions' has not."""
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    shipped = {line.partition("==")[0] for line in lines if "==" in line and line[0].isalpha()}
    return [
        module
        for module, packages in packages_distributions().items()
        if module.isidentifier()
        and not {package.lower().replace("_", "-") for package in packages} & shipped
    ]
