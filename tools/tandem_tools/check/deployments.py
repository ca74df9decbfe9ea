"""`python -m tandem_tools deployments`: the template of each kind of deployment.

cfn-lint looks at a template with all its conditions open. Here each is decided as the parameters
say, so that a reference to a resource that is not made is found. The rest is linted for several
regions. One of them has to be enabled for an account first.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from os import process_cpu_count
from typing import Any

from cfnlint import lint
from cfnlint.config import ManualArgs

from tandem_tools.deploy.parameters import conditions, contradictions, defaults, resources
from tandem_tools.template import load_template

REGIONS = ["us-east-1", "eu-north-1", "ap-southeast-2", "sa-east-1", "af-south-1"]

_IGNORED = ["I4010", "W2001", "W8001"]
"""As .cfnlintrc. And a deployment leaves parameters unused that others need, and no conditions."""

_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:otlp-a1b2c3"  # noqa: S105

KINDS: dict[str, dict[str, str]] = {
    "default": {},
    "production": {"Environment": "prod", "AlarmEmail": "operators@example.com"},
    "canary": {"Environment": "prod", "DeploymentType": "Canary10Percent5Minutes"},
    "SnapStart": {"SnapStart": "true", "ApiStorageMb": "512", "DeploymentType": "AllAtOnce"},
    "provisioned concurrency": {
        "ApiProvisionedConcurrency": "2",
        "DeploymentType": "Linear10PercentEvery1Minute",
    },
    "own issuer": {
        "JwtIssuer": "https://issuer.example.com",
        "JwtAudience": "tandem",
        "OAuthUrl": "https://issuer.example.com/oauth2",
    },
    "all that is optional": {
        "AlarmEmail": "operators@example.com",
        "ApiMemoryMb": "2048",
        "CallbackAllowedNetworks": "10.0.0.0/8",
        "ConsoleUrl": "https://console.example.com",
        "CorsOrigins": "https://app.example.com",
        "DetailedMetrics": "true",
        "LogLevel": "DEBUG",
        "OtlpEndpoint": "https://otlp.example.com",
        "OtlpHeadersSecret": _SECRET,
        "ReportEmail": "reports@example.com",
        "ReportTopic": "true",
        "ReportWebhookUrl": "https://hooks.example.com/reports",
        "RunbookUrl": "https://example.com/docs/operations.md",
        "TenantTasksPerSecond": "10",
    },
    "as little as possible": {
        "Architecture": "x86_64",
        "DeletionProtection": "false",
        "PublicDocs": "false",
        "ReportToCloudWatch": "false",
        "RequireTls": "false",
    },
}
"""Parameters by the kind of deployment: every one that a condition asks for is in one of them."""

type Node = dict[str, Any]


def decided(template: Node, values: Mapping[str, str]) -> Node:
    """Return a template in which every condition is decided as these values say.

    Args:
        template: as it is deployed.
        values: one for each parameter. They become the parameters' defaults.
    """
    held, made = conditions(template, values), resources(template, values)

    def choose(node: Any) -> Any:
        match node:
            case {"Fn::If": [name, yes, no]}:
                return choose(yes if held[name] else no)
            case dict():
                chosen = {name: choose(value) for name, value in node.items()}
                return {name: value for name, value in chosen.items() if value != _NOTHING}
            case list():
                return [value for value in map(choose, node) if value != _NOTHING]
        return node

    left = choose({name: value for name, value in template.items() if name != "Conditions"})
    left["Resources"] = {name: _apart(left["Resources"][name], made) for name in made}
    left["Outputs"] = {
        name: {part: value for part, value in output.items() if part != "Condition"}
        for name, output in left["Outputs"].items()
        if held.get(output.get("Condition", ""), True)
    }
    for name, declared in left["Parameters"].items():
        declared["Default"] = (
            json.loads(values[name]) if declared["Type"] == "Number" else values[name]
        )
    return dict(left)


_NOTHING = {"Ref": "AWS::NoValue"}


def _apart(resource: Node, made: Mapping[str, Node]) -> Node:
    """Return a resource without its condition, and without what it need not wait for."""
    kept = {name: value for name, value in resource.items() if name != "Condition"}
    if "DependsOn" in kept:
        after = kept["DependsOn"]
        kept["DependsOn"] = [
            name for name in ([after] if isinstance(after, str) else after) if name in made
        ]
    return kept


def faults(template: Node, kind: str) -> list[str]:
    """Return what is wrong with a kind of deployment of this template."""
    values = defaults(template) | KINDS[kind]
    found = list(contradictions(template, values))
    settings = ManualArgs(regions=REGIONS, ignore_checks=_IGNORED)
    text = json.dumps(decided(template, values))
    found += [f"{match.rule.id} {match.message}" for match in lint(text, config=settings)]
    return [f"{kind}: {fault}" for fault in sorted(set(found))]


def main(_arguments: Sequence[str] = ()) -> int:
    """Print what is wrong with any kind of deployment, and return the exit code."""
    template = load_template()
    with ProcessPoolExecutor(process_cpu_count()) as pool:
        found = [
            fault for of_kind in pool.map(partial(faults, template), KINDS) for fault in of_kind
        ]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0
