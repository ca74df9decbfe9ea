"""Values of the template's parameters: read, and checked as CloudFormation would."""

import re
import shlex
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Any

from tandem_tools.errors import ToolError
from tandem_tools.template import Node

FRACTIONS = frozenset({"OnlineBudgetSeconds", "TenantTasksPerSecond", "ThrottleRequestsPerSecond"})
"""Numbers that need not be whole."""


_NAMED = re.compile(r"ParameterKey=(\w+),ParameterValue=(.*)", re.ASCII | re.DOTALL)


def pairs(said: str | list[Any] | dict[str, Any]) -> dict[str, str]:
    """Return `Name=value` pairs in each of the forms that samconfig.toml may have them in.

    Args:
        said: one text, parted as a shell parts it. Or a list of texts, each a name and the value
            as it is. Or a table. A pair may be written as CloudFormation's own tools write it:
            `ParameterKey=Name,ParameterValue=value`.

    Raises:
        ToolError: it is none of these, or names a parameter twice.
    """
    if isinstance(said, dict):
        return {name: _text(name, value) for name, value in said.items()}
    try:
        texts = shlex.split(said) if isinstance(said, str) else said
    except ValueError as error:
        raise ToolError(f"{said!r} cannot be read: {error}.", "Close the quotes.") from None
    if not isinstance(texts, list):
        texts = [texts]
    found: dict[str, str] = {}
    for name, value in map(_pair, texts):
        if name in found:
            raise ToolError(f"{name} is said twice.", "Say it once: a list has commas between.")
        found[name] = value
    return found


def _pair(text: Any) -> tuple[str, str]:
    if isinstance(text, str):
        if named := _NAMED.fullmatch(text):
            return named[1], named[2]
        name, equals, value = text.partition("=")
        if equals:
            return name, value
    raise ToolError(
        f"Expected Name=value, got {text!r}.", "Put a value with blanks in quotes: Name='a b'"
    )


def _text(name: str, value: object) -> str:
    """Return a value of a table as CloudFormation takes it: a list has commas between."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case list():
            return ",".join(_text(name, part) for part in value)
    raise ToolError(f"{name} cannot be {value!r}.", f'Write it as a text: {name} = "…"')


def require_right(template: Node, values: Mapping[str, str], advice: str) -> None:
    """Refuse values that CloudFormation would refuse, or a service after it.

    Args:
        template: what the values are for.
        values: one for each parameter, by its name.
        advice: where the values can be put right.

    Raises:
        ToolError: there is no such parameter, it cannot have that value, or two exclude each other.
    """
    declared: dict[str, Any] = template["Parameters"]
    for name, value in values.items():
        wrong = refused(name, declared.get(name), value)
        if wrong:
            meant = [] if name in declared else get_close_matches(name, declared, n=1)
            perhaps = f" Perhaps {meant[0]}?" if meant else ""
            raise ToolError(f"Parameter {name}={value}: {wrong}.{perhaps}", advice)
    for contradiction in contradictions(template, values):
        raise ToolError(contradiction, advice)


def refused(name: str, declared: Mapping[str, Any] | None, value: str) -> str:
    """Return why a parameter cannot have a value. Empty when it can.

    Args:
        name: the parameter's.
        declared: what the template says of the parameter. None when it has no such parameter.
        value: the value as CloudFormation would be given it.
    """
    if declared is None:
        return "the template has no such parameter"
    allowed = [str(choice) for choice in declared.get("AllowedValues", ())]
    if allowed and value not in allowed:
        return f"must be one of {', '.join(allowed)}"
    pattern = declared.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value, re.ASCII):
        return f"must match {pattern}"
    return _refused_number(name, declared, value) if declared["Type"] == "Number" else ""


def _refused_number(name: str, declared: Mapping[str, Any], value: str) -> str:
    """Return why a number cannot have a value, read as CloudFormation and the services do.

    Python's own would be "1_0", "1e3" and "nan" too.
    """
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return "must be a number"
    if "." in value and name not in FRACTIONS:
        return "must be a whole number"
    number = float(value)
    least, most = declared.get("MinValue"), declared.get("MaxValue")
    if least is not None and number < float(least):
        return f"must be {least} at the least"
    if most is not None and number > float(most):
        return f"must be {most} at the most"
    return ""


def contradictions(template: Node, values: Mapping[str, str]) -> Iterator[str]:
    """Yield what the values of all parameters, each right by itself, say against each other.

    Args:
        template: its rules are evaluated as CloudFormation does.
        values: one for each parameter.
    """
    lists = {
        name
        for name, declared in template["Parameters"].items()
        if declared["Type"] == "CommaDelimitedList"
    }
    found = {
        name: [part.strip() for part in value.split(",") if part.strip()]
        if name in lists
        else value
        for name, value in values.items()
    }
    for rule in template["Rules"].values():
        if _evaluate(rule.get("RuleCondition", True), found):
            for assertion in rule["Assertions"]:
                if not _evaluate(assertion["Assert"], found):
                    yield assertion["AssertDescription"]
    hidden, runs = values["VisibilityTimeoutSeconds"], values["WorkerTimeoutSeconds"]
    if float(hidden) < 6 * float(runs):
        yield (
            f"VisibilityTimeoutSeconds={hidden} is less than 6 x WorkerTimeoutSeconds={runs}: "
            "messages would come again while their batch runs or waits for its turn."
        )
    if values["JwtIssuer"].startswith("http:") and values["Emulated"] == "false":
        yield "JwtIssuer must be an https URL: API Gateway takes no other."
    for text in filter(None, values["CallbackAllowedNetworks"].split(",")):
        try:
            network = ip_network(text)
        except ValueError as error:
            yield f"CallbackAllowedNetworks: {error}."
            continue
        # On AWS, Lambda's own runtime API listens there.
        if network.is_loopback and values["Emulated"] == "false":
            yield f"CallbackAllowedNetworks: {text} is the function's own machine, no receiver."


def defaults(template: Node) -> dict[str, str]:
    """Return the defaults of a template's parameters. The empty text for one that has none."""
    declared = template["Parameters"]
    return {name: str(parameter.get("Default", "")) for name, parameter in declared.items()}


def conditions(template: Node, values: Mapping[str, str]) -> dict[str, bool]:
    """Return which of a template's conditions hold with these values, one for each parameter."""

    def holds(node: Any) -> bool:
        match node:
            case {"Condition": name}:
                return holds(template["Conditions"][name])
            case {"Fn::And": parts}:
                return all(holds(part) for part in parts)
            case {"Fn::Or": parts}:
                return any(holds(part) for part in parts)
            case {"Fn::Not": [part]}:
                return not holds(part)
        return bool(_evaluate(node, values))

    return {name: holds(node) for name, node in template["Conditions"].items()}


def resources(template: Node, values: Mapping[str, str]) -> dict[str, Node]:
    """Return the resources that a template makes with these values, one for each parameter."""
    held = conditions(template, values) | {"": True}
    found: dict[str, Node] = template["Resources"]
    return {
        name: resource for name, resource in found.items() if held[resource.get("Condition", "")]
    }


def _evaluate(node: Any, values: Mapping[str, Any]) -> Any:
    """Return what a function of the template's rules comes to."""
    match node:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Equals": [left, right]}:
            return _evaluate(left, values) == _evaluate(right, values)
        case {"Fn::EachMemberEquals": [members, wanted]}:
            return all(member == wanted for member in _evaluate(members, values))
        case {"Fn::Not": [condition]}:
            return not _evaluate(condition, values)
        case {"Fn::Or": conditions}:
            return any(_evaluate(condition, values) for condition in conditions)
        case str() | bool():
            return node
    message = f"no function that rules use: {node}"
    raise ValueError(message)
