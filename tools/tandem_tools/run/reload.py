"""Hot reload: what is saved under functions/ runs in the stack within seconds, with no deployment.

Each function's code is updated as `aws lambda update-function-code` does it: its next invocation
starts a new environment with the new code. An environment that is busy finishes what it has, with
the code that it has, and ends. Dependencies and the template are not watched for that: they need a
build and a deployment.
"""

import py_compile
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from watchfiles import DefaultFilter, watch

from tandem_tools.build.compiled import LAMBDA_ROOT
from tandem_tools.build.processors import imported
from tandem_tools.build.sam import FUNCTIONS
from tandem_tools.build.store import NOT_DEPLOYED
from tandem_tools.deploy.environments import longest_worker_seconds
from tandem_tools.paths import BUILD, PROJECT
from tandem_tools.run.aws import Aws
from tandem_tools.run.deployment import CODE_BUCKET, add_files
from tandem_tools.run.scratch import environments_of

SOURCES = PROJECT / "functions"
DEPLOYED_ONLY = ("template.yaml", "requirements.txt", "samconfig.toml")
"""What a new deployment must bring."""
CODE_KEY = "reload/code.zip"
SETTLE_MS = 100
"""How long a burst of saves must have been over."""


class CannotReload(Exception):
    """What was saved cannot run. The functions keep the code that they have."""


class HotReload:
    """Brings saved sources into running functions."""

    def __init__(
        self,
        aws: Aws,
        functions: Mapping[str, str],
        folder: Path,
        *,
        build_dir: Path = BUILD,
        sources: Path = SOURCES,
        extra_processors: Sequence[Path] = (),
    ) -> None:
        """Prepare the parts that no save changes.

        Args:
            aws: the emulator.
            functions: their names, by their short names.
            folder: the stack's. The code is put together in a folder of it.
            build_dir: what `sam build` made of the sources as they were.
            sources: the folder whose packages run in the functions.
            extra_processors: modules that were deployed beside the application's own.
        """
        self._aws = aws
        self._worker_seconds = longest_worker_seconds()
        self._functions = functions
        self._before: dict[str, set[Path]] = {}
        self._sources = sources
        self._stack = folder
        folder = folder / "reload"
        self._archive = folder / "code.zip"
        self._unchanging = folder / "dependencies.zip"
        self._code = folder / "code"
        shutil.rmtree(folder, ignore_errors=True)
        self._code.mkdir(parents=True)
        packages = {path.name for path in sources.iterdir() if path.is_dir()}
        root = build_dir / FUNCTIONS[0]
        with zipfile.ZipFile(self._unchanging, "w", strict_timestamps=False) as archive:
            add_files(archive, root, leave_out=packages)
        for name in packages:
            if (root / name).is_dir():
                shutil.copytree(root / name, self._code / name)
        self._extra = {Path("processors", path.name) for path in extra_processors}
        for path in extra_processors:
            shutil.copy(path, self._code / "processors")

    def apply(self, paths: Iterable[Path]) -> list[str]:
        """Update the functions with these files, and return which of them the functions have.

        A file that is not there any more is taken away.

        Raises:
            CannotReload: a module does not compile, or the processors cannot be imported, or ask
                for more time than the worker gives. No function was updated.
        """
        saved = [path for path in sorted(set(paths)) if self._is_code(path)]
        for path in saved:
            _require_compiles(path)
        for path in saved:
            self._take(path)
        if saved:
            processors = imported(self._code)
            if processors.error is not None:
                raise CannotReload(f"the processors cannot be imported: {processors.error}")
            if (excess := processors.excess(self._worker_seconds)) is not None:
                raise CannotReload(excess.problem.rstrip("."))
            self._update()
        return [str(path.relative_to(self._sources)) for path in saved]

    def still_busy(self) -> dict[str, int]:
        """Return how many environments finish something with the code before the last update.

        By the function's short name. In all they are no more than what runs at once at any time:
        each had an invocation when its code was updated, and gets no other.
        """
        found = {name: len(self._environments(name) & self._before[name]) for name in self._before}
        return {name: number for name, number in found.items() if number}

    def unseen(self) -> list[Path]:
        """Return the files that are not as the functions have them: saved while nobody watched."""
        found = {path.relative_to(self._sources) for path in self._sources.rglob("*.py")}
        known = {path.relative_to(self._code) for path in self._code.rglob("*.py")} - self._extra
        return [
            self._sources / name
            for name in sorted(found | known)
            if self._is_code(self._sources / name)
            and _content(self._sources / name) != _content(self._code / name)
        ]

    def _is_code(self, path: Path) -> bool:
        """Whether a file is, or was, in a package that runs: an editor makes others meanwhile."""
        if not path.is_relative_to(self._sources) or path.parent == self._sources:
            return False
        name = path.relative_to(self._sources)
        if not NOT_DEPLOYED.isdisjoint(name.parents):
            return False
        return path.is_file() or (self._code / name).is_file()

    def _take(self, path: Path) -> None:
        target = self._code / path.relative_to(self._sources)
        compiled = target.parent / "__pycache__"
        for stale in compiled.glob(f"{target.stem}.*.pyc") if target.suffix == ".py" else ():
            stale.unlink()
        if not path.exists():
            target.unlink(missing_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if target.suffix == ".py":
            py_compile.compile(
                str(target),
                dfile=f"{LAMBDA_ROOT}/{target.relative_to(self._code)}",
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )

    def _update(self) -> None:
        shutil.copy(self._unchanging, self._archive)
        with zipfile.ZipFile(self._archive, "a", strict_timestamps=False) as archive:
            add_files(archive, self._code)
        with self._archive.open("rb") as body:
            self._aws.s3.put_object(Bucket=CODE_BUCKET, Key=CODE_KEY, Body=body)
        with ThreadPoolExecutor(len(self._functions)) as pool:
            list(pool.map(self._update_function, self._functions))

    def _environments(self, function: str) -> set[Path]:
        return environments_of(self._stack, self._functions[function])

    def _update_function(self, function: str) -> None:
        self._before[function] = self._environments(function)
        self._aws.functions.update_function_code(
            FunctionName=self._functions[function], S3Bucket=CODE_BUCKET, S3Key=CODE_KEY
        )


def follow_saves(make: Callable[[], HotReload], say: Callable[[str], None], stop: Event) -> None:
    """Bring every save into the functions, and say so, until told to stop."""
    reload = make()
    watching = False
    for changes in watch(
        SOURCES,
        *(PROJECT / name for name in DEPLOYED_ONLY),
        watch_filter=DefaultFilter(),
        debounce=SETTLE_MS * 2,
        step=SETTLE_MS,
        stop_event=stop,
        rust_timeout=1000,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        paths = {Path(path) for _, path in changes}
        if not watching:
            # From the build until here nothing watched.
            paths.update(reload.unseen())
            watching = True
        for path in sorted(paths):
            if path.name in DEPLOYED_ONLY and path.parent == PROJECT:
                say(f"{path.name} changed: stop, and make run again to deploy it")
        _bring(reload, paths, say)


def _bring(reload: HotReload, paths: set[Path], say: Callable[[str], None]) -> None:
    began = time.monotonic()
    try:
        saved = reload.apply(paths)
    except CannotReload as error:
        say(f"{error}; the functions keep the code that they have")
        return
    if saved:
        say(f"{', '.join(saved)}: updated in {time.monotonic() - began:.1f} s")
        if busy := reload.still_busy():
            processes = ", ".join(f"{number} of {name}" for name, number in busy.items())
            say(f"what runs finishes with the code before, and ends: {processes}")


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _require_compiles(path: Path) -> None:
    if path.suffix != ".py" or not path.exists():
        return
    try:
        compile(path.read_bytes(), path.name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise CannotReload(f"{path.name}: {error}") from None
