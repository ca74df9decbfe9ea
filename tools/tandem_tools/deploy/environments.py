"""The environments of samconfig.toml, and the template's parameters for one of them."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tandem_tools.deploy.parameters import defaults, pairs, refused, require_right
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT
from tandem_tools.template import load_template

NAMES = ("dev", "staging", "prod")
PROVING = "prove"
"""The one that make prove-on-aws makes and deletes."""
SECTIONS = {"dev": "default"}
"""What samconfig.toml calls an environment, where that is not its name."""

WORKER_TIMEOUT = "WorkerTimeoutSeconds"

READ = frozenset({"capabilities", "parameter_overrides", "s3_bucket"})
OF_SAM_ALONE = frozenset({"resolve_s3", "fail_on_empty_changeset", "confirm_changeset"})
"""What plain `sam deploy` needs to do as make deploy does anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment as samconfig.toml says it."""

    name: str
    section: str
    stack_name: str
    overrides: Mapping[str, str]
    """Of the template's parameters."""
    capabilities: Sequence[str]
    """What the template is allowed to make, as CloudFormation wants it acknowledged."""
    code_bucket: str
    """Where the code goes. Empty for the bucket that the SAM CLI makes."""

    @property
    def production(self) -> bool:
        """Whether it is the one that people depend on."""
        return self.name == "prod"

    @classmethod
    def read(cls, name: str) -> Self:
        """Return the environment of that name."""
        section = SECTIONS.get(name, name)
        said = tomllib.loads((PROJECT / "samconfig.toml").read_text())[section]
        deploying = said["deploy"]["parameters"]
        if unread := sorted(deploying.keys() - READ - OF_SAM_ALONE):
            raise ToolError(
                f"make deploy does not read {', '.join(unread)} of samconfig.toml.",
                f"Take it out of [{section}.deploy.parameters]. AWS_PROFILE and AWS_DEFAULT_REGION "
                "say where to deploy, CLOUDFORMATION_ROLE_ARN in which role CloudFormation works.",
            )
        return cls(
            name=name,
            section=section,
            stack_name=said["global"]["parameters"]["stack_name"],
            overrides=pairs(deploying.get("parameter_overrides", [])),
            capabilities=listed(deploying["capabilities"]),
            code_bucket=deploying.get("s3_bucket", ""),
        )

    def parameters(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return a value for every parameter of the template but Revision.

        `sam deploy` keeps a parameter that it is not told as it was: a value that was once given
        by hand, and a default that has changed since, would stay for ever.

        Raises:
            ToolError: there is no such parameter, or it cannot have that value.
        """
        template = load_template()
        values = defaults(template) | dict(self.overrides) | dict(more)
        del values["Revision"]
        advice = f"Put it right in samconfig.toml ({self.section}), or in PARAMETERS."
        require_right(template, values, advice)
        if self.production != (values["Environment"] == "prod"):
            raise ToolError(
                f"{self.stack_name} would be deployed with Environment={values['Environment']}.",
                "Production, and nothing else, has Environment=prod: it is what protects its data.",
            )
        if self.production and not values["AlarmEmail"]:
            raise ToolError(
                "Nobody would hear the alarms of production.",
                "Name who does: PARAMETERS=AlarmEmail=you@example.com, or in samconfig.toml",
            )
        return values


def longest_worker_seconds() -> float:
    """Return the longest timeout of a worker that a deployment of this project gives.

    It is the template's, one that an environment of samconfig.toml says, or that of PARAMETERS.
    """
    overrides = [pairs(os.environ.get("PARAMETERS", ""))]
    configuration = PROJECT / "samconfig.toml"
    text = configuration.read_text() if configuration.is_file() else ""
    for section in tomllib.loads(text).values():
        if isinstance(section, dict):
            deploying = section.get("deploy", {}).get("parameters", {})
            overrides.append(pairs(deploying.get("parameter_overrides", [])))
    declared = load_template()["Parameters"][WORKER_TIMEOUT]
    said = [str(declared["Default"]), *(pair.get(WORKER_TIMEOUT, "") for pair in overrides)]
    # What no deployment would take is refused there, by its name.
    return max(float(value) for value in said if not refused(WORKER_TIMEOUT, declared, value))


def listed(said: str | list[str]) -> list[str]:
    """Return what samconfig.toml says as a list, or as one text with blanks between."""
    return said.split() if isinstance(said, str) else said
