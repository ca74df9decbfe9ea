"""The files of a new project: Tandem's own template and pins, and what a project adds."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from tandem_tools.errors import ToolError
from tandem_tools.paths import CHECKOUT, tools_version

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME = 30
"""Lambda's names of functions are made of it: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""

OWN_FOLDER = ".tandem"
PRISTINE = f"{OWN_FOLDER}/pristine"
WHEELS = f"{OWN_FOLDER}/wheels"
LOCKS = ("requirements.txt", "requirements-dev.txt")
LIBRARY, TOOLS, CLIENT = "tandem-lambda", "tandem-lambda-tools", "tandem-lambda-client"
_FIND_LINKS = f"--find-links {WHEELS}"
_OF_A_LOCK = re.compile(r"\s*|\s*#.*|-.*|[A-Za-z0-9].*|\s+--hash=.*")
DISTRIBUTIONS = (LIBRARY, TOOLS, CLIENT)

ENVIRONMENTS = ("dev", "prove", "staging", "prod")
OF_TABLES = ("duckdb",)
"""What Tandem's own samples need, and no other project."""

FROM_TANDEM = (
    "template.yaml",
    "samconfig.toml",
    "requirements.txt",
    "tools/find-python",
    "tools/tandem_tools/locks/project.txt",
    "events/api-process-online.json",
    "events/sqs-batch.json",
)
"""Files of Tandem's repository that a project's are made of. The tools' wheel holds copies."""


def skeleton(name: str, version: str, wheels: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a new project by their paths, without pristine copies.

    Args:
        name: of the project, which its stacks are named by.
        version: of Tandem.
        wheels: the three distributions, by the names of their files.

    Raises:
        ToolError: the name is none for a stack, or a wheel is missing.
    """
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise ToolError(
            f"A project cannot be named {name[:60]!r}.",
            f"Take small letters, digits and single hyphens, {LONGEST_NAME} characters at most.",
        )
    pins = {distribution: _pin(distribution, version, wheels) for distribution in DISTRIBUTIONS}
    shipped = _blocks(_of_tandem("requirements.txt"))
    for left_out in OF_TABLES:
        del shipped[left_out]
    shipped[LIBRARY] = pins[LIBRARY]
    develops = _blocks(_of_tandem("tools/tandem_tools/locks/project.txt"))

    def own(file: str) -> str:
        return _own(file).replace("PROJECT", name).replace("VERSION", version)

    texts = {
        "functions/processors/hello.py": own("hello.py.in"),
        "tests/test_hello.py": own("test_hello.py.in"),
        "template.yaml": _of_tandem("template.yaml"),
        "samconfig.toml": _samconfig(name),
        "pyproject.toml": own("pyproject.toml.in"),
        "requirements.txt": _requirements(shipped),
        "requirements-dev.txt": _requirements(develops | shipped | pins),
        "events/api-process-online.json": _of_tandem("events/api-process-online.json").replace(
            r"{\"processor\": \"echo\", \"input\": {\"message\": \"hello\"}}",
            r"{\"processor\": \"hello\", \"input\": {\"name\": \"Ada\"}}",
        ),
        "events/sqs-batch.json": _of_tandem("events/sqs-batch.json"),
        "tools/build/arm64/Makefile": own("build.mk").replace("ARCHITECTURE", "arm64"),
        "tools/build/x86_64/Makefile": own("build.mk").replace("ARCHITECTURE", "x86_64"),
        "Makefile": own("Makefile"),
        "README.md": own("README.md"),
        ".env.example": own("env.example"),
        ".gitignore": own("gitignore"),
        ".github/workflows/ci.yml": own("ci.yml"),
        f"{OWN_FOLDER}/find-python": _of_tandem("tools/find-python"),
        f"{OWN_FOLDER}/version": f"{name} {version}\n",
    }
    made = {path: text.encode() for path, text in texts.items()}
    return made | {f"{WHEELS}/{file}": content for file, content in wheels.items()}


def read_wheels(folder: Path) -> tuple[str, dict[str, bytes]]:
    """Return the version and the wheels of the three distributions in a folder.

    Installed tools take those of their own version: the files that they make are of that one. A
    checkout takes the only version that is there.

    Args:
        folder: which `make package` made, or that holds such wheels.

    Raises:
        ToolError: they are not there, or not of one version.
    """
    version = tools_version()
    found = {
        (distribution, file.name.split("-")[1]): file
        for distribution in DISTRIBUTIONS
        for file in sorted(folder.glob(f"{distribution.replace('-', '_')}-*-py3-none-any.whl"))
    }
    versions = {made for distribution, made in found if version in {None, made}}
    whole = [
        made
        for made in versions
        if all((distribution, made) in found for distribution in DISTRIBUTIONS)
    ]
    if len(whole) != 1:
        named = ", ".join(DISTRIBUTIONS)
        if version is None or not found:
            raise ToolError(
                f"{folder} has not the wheels of {named} in one version.",
                "Name the folder that they are in: --wheels FOLDER. Tandem's make package fills "
                "dist/.",
            )
        others = ", ".join(sorted({made for _, made in found}))
        raise ToolError(
            f"{folder} has not the wheels of {named} in version {version}, which these tools are "
            f"of. It has: {others}.",
            "Install the tools of the version that you want, then run it again: pip install "
            f"--find-links {folder} {TOOLS}==VERSION",
        )
    paths = [found[distribution, whole[0]] for distribution in DISTRIBUTIONS]
    return whole[0], {path.name: path.read_bytes() for path in paths}


def _pin(distribution: str, version: str, wheels: Mapping[str, bytes]) -> str:
    file = f"{distribution.replace('-', '_')}-{version}-py3-none-any.whl"
    digest = hashlib.sha256(wheels[file]).hexdigest()
    return f"{distribution}=={version} \\\n    --hash=sha256:{digest}\n"


def _blocks(requirements: str) -> dict[str, str]:
    """Return a lock file's pins with their hashes, by the names of the distributions."""
    blocks: dict[str, str] = {}
    name = ""
    for line in requirements.splitlines(keepends=True):
        if line[0].isalnum():
            name = re.split(r"[=\[ ;]", line, maxsplit=1)[0]
            blocks[name] = line
        elif name and not line.lstrip().startswith("#"):
            blocks[name] += line
    return blocks


def _requirements(blocks: Mapping[str, str], options: Iterable[str] = ()) -> str:
    return (
        "# This file is made by make lock from pyproject.toml.\n"
        + "".join(f"{option}\n" for option in dict.fromkeys([_FIND_LINKS, *options]))
        + "\n"
        + "".join(blocks[name] for name in sorted(blocks))
    )


def is_lock(text: str) -> bool:
    """Return whether a text has what `make lock` writes, and no more."""
    return all(_OF_A_LOCK.fullmatch(line) for line in text.splitlines())


def merged_lock(mine: str, before: str, new: str) -> str:
    """Return a lock file with what changed in Tandem, and what else a project has.

    Each distribution is merged by itself. Where both sides changed one, Tandem's is what its own
    tests ran with, and `make lock` resolves all of them again.

    Args:
        mine: the project's, for which `is_lock` holds.
        before: its pristine copy.
        new: that of the new version.
    """
    own, old, now = (_blocks(text) for text in (mine, before, new))
    merged = {}
    for name in own | now:
        theirs_changed = old.get(name) != now.get(name)
        mine_changed = old.get(name) != own.get(name)
        takes_own = mine_changed and not (theirs_changed and name in own and name in now)
        if block := (own if takes_own else now).get(name):
            merged[name] = block
    options = [line for line in mine.splitlines() if line.startswith("-")]
    return _requirements(merged, options)


def _samconfig(name: str) -> str:
    environments = "|".join(ENVIRONMENTS)
    return re.sub(rf'"tandem-({environments})"', rf'"{name}-\1"', _of_tandem("samconfig.toml"))


def _own(file: str) -> str:
    return files("tandem_tools.project").joinpath("files", file).read_text("utf-8")


def _of_tandem(path: str) -> str:
    """Return a file of Tandem's repository: from the checkout, or as the wheel has it."""
    if CHECKOUT is not None:
        return (CHECKOUT / path).read_text("utf-8")
    return _packed(files("tandem_tools.project"), path).read_text("utf-8")


def _packed(package: Traversable, path: str) -> Traversable:
    return package.joinpath("tandem", *path.split("/"))


def pack(checkout: Path, package: Path) -> Iterator[Path]:
    """Put what a wheel needs of Tandem's repository beside this module, and return where."""
    for path in FROM_TANDEM:
        target = package / "tandem" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((checkout / path).read_bytes())
        yield target
