"""An artifact that lacks something is refused."""

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from importlib.metadata import distributions
from pathlib import Path

from tandem_tools.build.compiled import require_compiled
from tandem_tools.build.dependencies import normalized, pins
from tandem_tools.build.tree import files
from tandem_tools.errors import ToolError

MUST_HOLD = (
    "fastapi",
    "pydantic",
    "processors",
    "tandem",
)


def require_complete(tree: Path, requirements: str) -> None:
    """Refuse an artifact without its code or its pinned dependencies, or with uncompiled modules.

    Args:
        tree: a function's folder.
        requirements: the content of the file that pins the dependencies.

    Raises:
        ToolError: what is wrong.
    """
    if absent := [name for name in MUST_HOLD if not (tree / name).is_dir()]:
        raise ToolError(
            f"{tree.name} was built without {', '.join(absent)}.",
            "Build from the project's folder, with its template.yaml: make build",
        )
    pinned, found = pins(requirements), versions(tree)
    if other := sorted(name for name in found if found[name] != pinned.get(name)):
        raise ToolError(
            f"{tree.name} has other versions than requirements.txt pins: {', '.join(other)}.",
            "It is of another day: build it again.",
        )
    require_compiled(tree)


def versions(tree: Path) -> dict[str, str]:
    """Return the versions of the distributions that are in a tree, by normalized name."""
    return {
        normalized(distribution.metadata["Name"]): distribution.version
        for distribution in distributions(path=[str(tree)])
    }


def require_services(functions: Path, left_out: AbstractSet[str]) -> None:
    """Refuse code that makes a client of an AWS service whose model is left out.

    botocore would say so only when the code runs. A name that is computed is not seen here.

    Raises:
        ToolError: where it is, and what to add.
    """
    for path in files(functions):
        if path.suffix != ".py":
            continue
        for line, service in _services(path):
            if service in left_out:
                raise ToolError(
                    f'{path.relative_to(functions)}, line {line}, uses AWS service "{service}", '
                    "whose model the artifact leaves out.",
                    f'Add "{service}" to aws-services in pyproject.toml.',
                )


def _services(path: Path) -> Iterator[tuple[int, str]]:
    """Return the line and the name of each `….client("name")` and `….resource("name")`."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # compiling it says so
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="client" | "resource") | ast.Name(id="client" | "resource"),
                args=[ast.Constant(value=str(service)), *_],
            ):
                yield node.lineno, service
