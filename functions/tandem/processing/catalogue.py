"""The processors there are: the library's own, and those in the application's packages."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache, cached_property
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from tandem.processing.processor import AnyProcessor, NotAProcessor, Processor
from tandem.settings import settings


class Catalogue(dict[str, AnyProcessor]):
    """Processors by their names, in the names' order."""

    def __init__(
        self,
        processors: Iterable[AnyProcessor],
        *,
        not_loaded: Mapping[str, BaseException] | None = None,
    ) -> None:
        """Put processors together.

        Raises:
            NotAProcessor: two have one name, or two of an application have `heavy_task`.
        """
        super().__init__()
        self.not_loaded = dict(not_loaded or {})
        """Why modules of processors could not be imported, by their names."""
        for processor in sorted(processors, key=lambda found: found.name):
            if (other := self.get(processor.name)) is not None:
                modules = f"{other.run.__module__} and {processor.run.__module__}"
                message = f"two processors are named {processor.name!r}, in {modules}"
                raise NotAProcessor(message)
            self[processor.name] = processor
        if len(heavy := self._heavy(own=True)) > 1:
            names = " and ".join(processor.name for processor in heavy)
            message = f"heavy_task is for one processor, and {names} have it"
            raise NotAProcessor(message)

    def shown(self, hidden: Collection[str]) -> dict[str, AnyProcessor]:
        """Return those that callers are told of: all but the hidden ones."""
        return {name: processor for name, processor in self.items() if name not in hidden}

    @cached_property
    def heavy_task(self) -> AnyProcessor | None:
        """The processor that `GET /heavy-task` runs: the application's before the library's."""
        return next(iter(self._heavy(own=True) or self._heavy(own=False)), None)

    def _heavy(self, *, own: bool) -> list[AnyProcessor]:
        heavy = (processor for processor in self.values() if processor.heavy_task is not None)
        return [processor for processor in heavy if (processor.run.__module__ != BUILT_IN) is own]


type NotLoaded = dict[str, BaseException]
"""Why modules of processors could not be imported, by their names."""

BUILT_IN = "tandem.processing.builtin"
ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime"""


def discover(package: ModuleType, not_loaded: NotLoaded | None = None) -> list[AnyProcessor]:
    """Return the processors in a package's modules. Those that start with `_` are passed over.

    Where a module is a package itself, its processors are in the modules that its `__all__` names.
    So a program of that package's imports no processor.

    Args:
        package: which has the modules.
        not_loaded: gets the errors of modules that cannot be imported, by their names. Without it
            the first such error is raised.
    """
    names = [info.name for info in iter_modules(package.__path__) if info.name[0] != "_"]
    found: list[AnyProcessor] = []
    for name in names:
        module = _imported(f"{package.__name__}.{name}", not_loaded)
        for inner in _modules_in(module, not_loaded):
            found += _in(inner)
    return found


def _imported(name: str, not_loaded: NotLoaded | None) -> ModuleType | None:
    try:
        return import_module(name)
    except BaseException as error:  # `sys.exit`, or what a Rust extension panics with
        if not_loaded is None:
            raise
        not_loaded[name] = error
        return None


def _modules_in(module: ModuleType | None, not_loaded: NotLoaded | None) -> list[ModuleType]:
    """Return a module itself, or the ones that it names if it is a package."""
    if module is None or not hasattr(module, "__path__"):
        return [] if module is None else [module]
    names = [f"{module.__name__}.{name}" for name in getattr(module, "__all__", ())]
    return [inner for name in names if (inner := _imported(name, not_loaded)) is not None]


def _in(module: ModuleType) -> list[AnyProcessor]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Processor) and value.run.__module__ == module.__name__
    ]


@cache
def installed() -> Catalogue:
    """Return the library's processors and those of the packages in PROCESSORS, imported once.

    On Lambda a module that cannot be imported takes itself out, and no other: `not_loaded` has why.
    So do modules whose processors have one name, or of which several have `heavy_task`: which of
    them was meant is unknown. Everywhere else, the build among them, the error is raised.
    """
    own = _in(import_module(BUILT_IN))
    not_loaded: NotLoaded | None = {} if ON_LAMBDA in os.environ else None
    packages = [_imported(name, not_loaded) for name in settings().processors]
    found = [loaded for package in packages if package for loaded in discover(package, not_loaded)]
    if not_loaded is not None:
        found = _without_rivals(own, found, not_loaded)
    return Catalogue([*own, *found], not_loaded=not_loaded)


def _without_rivals(
    own: list[AnyProcessor], found: list[AnyProcessor], not_loaded: NotLoaded
) -> list[AnyProcessor]:
    """Return the application's processors without those that a catalogue refuses together.

    Args:
        own: the library's.
        found: the application's.
        not_loaded: gets why the others are left out, by their modules' names.
    """
    kept = []
    names = Counter(processor.name for processor in (*own, *found))
    heavy = sum(processor.heavy_task is not None for processor in found)
    for processor in found:
        if names[processor.name] > 1:
            message = f"two processors are named {processor.name!r}"
        elif processor.heavy_task is not None and heavy > 1:
            message = f"heavy_task is for one processor, and {processor.name} is not the only one"
        else:
            kept.append(processor)
            continue
        not_loaded[processor.run.__module__] = NotAProcessor(message)
    return kept
