"""What SAM makes of the template: run in the SAM CLI's own environment, which has the transform."""

import copy
import json
import subprocess
from typing import Any

from tandem_tools.environment import for_sam
from tandem_tools.paths import SAM_BIN, program
from tandem_tools.template import Node, load_template

PROGRAM = """
import copy, json, sys
from samtranslator.translator.transform import transform

class NoManagedPolicies:
    def load(self):
        return {}

given = json.load(sys.stdin)
json.dump(
    [transform(copy.deepcopy(given["template"]), values, NoManagedPolicies())
     for values in given["parameters"]],
    sys.stdout,
)
"""


def transformed(*parameters: dict[str, str], template: Node | None = None) -> list[Node]:
    """Return a template as it is deployed for each set of parameters, defaults filled in.

    Args:
        parameters: values, by their names.
        template: with its intrinsic functions written out. By default Tandem's own.
    """
    template = copy.deepcopy(template or load_template())
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"
    declared = template["Parameters"].items()
    defaults = {name: one["Default"] for name, one in declared if "Default" in one}
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [program(SAM_BIN / "python"), "-c", PROGRAM],
        input=json.dumps(
            {"template": template, "parameters": [defaults | values for values in parameters]}
        ),
        env=for_sam(str(SAM_BIN)),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout)
    return found
