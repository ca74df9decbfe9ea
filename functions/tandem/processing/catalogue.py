"""The processors there are: found by importing every module of a package."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from tandem.processing.processor import AnyProcessor, NotAProcessor, Processor


class Catalogue(Mapping[str, AnyProcessor]):
    """Processors by their names, in the names' order."""

    def __init__(self, processors: list[AnyProcessor]) -> None:
        self._by_name: dict[str, AnyProcessor] = {}
        for one in sorted(processors, key=lambda found: found.name):
            if one.name in self._by_name:
                message = f"two processors are named {one.name!r}"
                raise NotAProcessor(message)
            self._by_name[one.name] = one

    def __getitem__(self, name: str) -> AnyProcessor:
        """Return the processor of that name, or raise KeyError."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_name)


def discover(package: ModuleType) -> Catalogue:
    """Return the processors in a package's modules; those that start with `_` are passed over.

    Where a module is a package itself, its processors are in the modules that its `__all__` names.
    So a program of that package's imports no processor.
    """
    names = [info.name for info in iter_modules(package.__path__) if info.name[0] != "_"]
    found = [import_module(f"{package.__name__}.{name}") for name in names]
    modules = [inner for one in found for inner in _modules_in(one)]
    return Catalogue(
        [
            value
            for module in modules
            for value in vars(module).values()
            if isinstance(value, Processor) and value.run.__module__ == module.__name__
        ]
    )


def _modules_in(module: ModuleType) -> list[ModuleType]:
    """Return a module itself, or the ones that it names if it is a package."""
    if not hasattr(module, "__path__"):
        return [module]
    return [import_module(f"{module.__name__}.{name}") for name in getattr(module, "__all__", ())]


@cache
def installed() -> Catalogue:
    """Return the processors of the `processors` package, imported once."""
    return discover(import_module("processors"))
