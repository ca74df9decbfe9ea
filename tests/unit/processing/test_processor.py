import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from tandem.processing import Retry, TaskContext, catalogue, processor
from tandem.processing.builtin import BlocksInput, EchoInput, EchoOutput, echo, hash_blocks
from tandem.processing.catalogue import BUILT_IN, Catalogue, discover, installed
from tandem.processing.processor import AnyProcessor, NotAProcessor
from tandem.settings import Settings
from tandem.testing import FakeContext, MemoryWiring


class Input(BaseModel):
    text: str


class Output(BaseModel):
    words: int


def test_a_function_becomes_a_processor_with_its_models_and_summary() -> None:
    @processor("count-words", retry=Retry(attempts=5), time_limit=30)
    def count_words(data: Input, ctx: TaskContext) -> Output:
        """Count the words.

        More about it.
        """
        return Output(words=len(data.text.split()))

    assert (count_words.name, count_words.summary) == ("count-words", "Count the words.")
    assert (count_words.input, count_words.output) == (Input, Output)
    assert (count_words.retry.attempts, count_words.time_limit_seconds) == (5, 30)


@pytest.mark.parametrize(
    "name", ["", "Count", "count_words", "count--words", "-a", "a/b", "ü", "x" * 65, "a b"]
)
def test_a_name_that_would_not_read_well_everywhere_is_refused(name: str) -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    with pytest.raises(NotAProcessor, match="lower-case words"):
        processor(name)(work)


def test_the_decorator_without_a_name_is_refused_and_hides_no_function() -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    bare: Any = processor
    with pytest.raises(NotAProcessor, match="needs a name"):
        bare(work)


@pytest.mark.parametrize("option", ["time_limit", "cache_for"])
@pytest.mark.parametrize("seconds", ["10", None])
def test_a_limit_that_is_no_number_is_refused_by_its_name(option: str, seconds: Any) -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    with pytest.raises(NotAProcessor, match=f"work: {option} must be a number of seconds"):
        processor("work", **{option: seconds})(work)


@pytest.mark.parametrize("seconds", [0, -1, 841])
def test_a_time_limit_that_lambda_could_not_keep_is_refused(seconds: float) -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    with pytest.raises(NotAProcessor, match="time_limit"):
        processor("work", time_limit=seconds)(work)


@pytest.mark.parametrize("online", ["", "always", "Never", None, True, ("wait",), ["wait"]])
def test_an_online_mode_that_is_none_is_refused(online: Any) -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    with pytest.raises(NotAProcessor, match="online must be one of promote, wait, never"):
        processor("work", online=online)(work)


def test_a_processor_is_promoted_unless_it_says_otherwise() -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    assert processor("work")(work).online == "promote"
    assert processor("work", online="wait")(work).online == "wait"


@pytest.mark.parametrize("size", [-1, float("nan")])
def test_a_size_of_uploads_below_nothing_is_refused(size: float) -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    with pytest.raises(NotAProcessor, match="upload_mib must be 0 or more"):
        processor("work", upload_mib=size)(work)


def untyped(data, ctx):  # type: ignore[no-untyped-def]
    return None


def plain(data: dict[str, str], ctx: TaskContext) -> Output:
    return Output(words=0)


def without_context(data: Input) -> Output:
    return Output(words=0)


def without_model(data: Input, ctx: TaskContext) -> int:
    return 0


@pytest.mark.parametrize("function", [untyped, plain, without_context, without_model])
def test_a_function_without_models_is_refused(function: Any) -> None:
    with pytest.raises(NotAProcessor, match="of models"):
        processor("work")(function)


MODULE = """
from pydantic import BaseModel
from tandem.processing import TaskContext, processor

class Text(BaseModel):
    text: str

@processor("{name}")
def work(data: Text, ctx: TaskContext) -> Text:
    return data
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> ModuleType:
    name = f"dropped_{abs(hash(request.node.name))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(name)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def drop(package: ModuleType, filename: str, text: str) -> None:
    Path(package.__path__[0], filename).write_text(text)


def test_a_module_that_is_dropped_in_is_found(package: ModuleType) -> None:
    drop(package, "zulu.py", MODULE.format(name="zulu"))
    drop(package, "alpha.py", MODULE.format(name="alpha"))
    drop(package, "_shared.py", MODULE.format(name="hidden"))
    drop(package, "borrower.py", f"from {package.__name__}.alpha import work")
    assert list(Catalogue(discover(package))) == ["alpha", "zulu"]


def test_a_package_names_the_modules_that_have_its_processors(package: ModuleType) -> None:
    Path(package.__path__[0], "inner").mkdir()
    drop(package, "inner/__init__.py", '__all__ = ["zulu"]')
    drop(package, "inner/zulu.py", MODULE.format(name="zulu"))
    drop(package, "inner/other.py", MODULE.format(name="other"))
    drop(package, "alpha.py", MODULE.format(name="alpha"))
    assert list(Catalogue(discover(package))) == ["alpha", "zulu"]
    assert f"{package.__name__}.inner.other" not in sys.modules


def test_two_processors_of_one_name_are_refused(package: ModuleType) -> None:
    drop(package, "one.py", MODULE.format(name="same"))
    drop(package, "two.py", MODULE.format(name="same"))
    with pytest.raises(NotAProcessor, match=r"are named 'same', in \w+\.one and \w+\.two$"):
        Catalogue(discover(package))


BROKEN = {
    "broken.py": "import nowhere",
    "leaves.py": "raise SystemExit",
    "panics.py": "class Panic(BaseException): ...\nraise Panic",
    "refused.py": MODULE.format(name="Not A Name"),
    "part/__init__.py": '__all__ = ["fails", "works"]',
    "part/fails.py": "1 / 0",
    "part/works.py": MODULE.format(name="works"),
    "ends.py": "raise SystemExit(3)",
    "same.py": MODULE.format(name="same"),
    "again.py": MODULE.format(name="same"),
    "taken.py": MODULE.format(name="echo"),
}


@pytest.fixture
def half_broken(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    Path(package.__path__[0], "part").mkdir()
    for filename, text in BROKEN.items():
        drop(package, filename, text)
    monkeypatch.setattr(catalogue, "settings", lambda: Settings(processors=(package.__name__,)))
    installed.cache_clear()
    yield package
    installed.cache_clear()


def test_on_lambda_a_module_that_cannot_be_imported_takes_only_itself_out(
    half_broken: ModuleType, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    found = MemoryWiring().catalogue
    assert list(found) == ["echo", "hash-blocks", "works"]
    why = {name.partition(".")[2]: type(error) for name, error in found.not_loaded.items()}
    assert why.pop("panics").__name__ == "Panic"
    assert why == {
        "broken": ModuleNotFoundError,
        "leaves": SystemExit,
        "refused": NotAProcessor,
        "part.fails": ZeroDivisionError,
        "ends": SystemExit,
        "same": NotAProcessor,
        "again": NotAProcessor,
        "taken": NotAProcessor,
    }
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    said = [line for line in lines if line["message"] == "processor not loaded"]
    assert {line["processor_module"] for line in said} == set(found.not_loaded)
    assert {line["error_type"] for line in said} == {
        "ModuleNotFoundError",
        "NotAProcessor",
        "Panic",
        "SystemExit",
        "ZeroDivisionError",
    }


@pytest.fixture
def on_lambda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Catalogue]]:
    """Return the catalogue of packages, as a function of theirs has it."""

    def loaded(*packages: str) -> Catalogue:
        monkeypatch.setattr(catalogue, "settings", lambda: Settings(processors=packages))
        return installed()

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    installed.cache_clear()
    yield loaded
    installed.cache_clear()


def test_on_lambda_processors_that_both_want_the_heavy_task_are_out_and_the_rest_stays(
    package: ModuleType, on_lambda: Callable[..., Catalogue]
) -> None:
    marked = MODULE.replace('("{name}")', '("{name}", heavy_task=lambda blocks, block_mb: None)')
    assert marked != MODULE
    for name in ("alpha", "beta"):
        drop(package, f"{name}.py", marked.format(name=name))
    drop(package, "gamma.py", MODULE.format(name="gamma"))
    found = on_lambda(package.__name__)
    assert list(found) == ["echo", "gamma", "hash-blocks"]
    assert found.heavy_task is hash_blocks
    assert len(found.not_loaded) == 2


def test_on_lambda_a_package_that_cannot_be_imported_leaves_the_others(
    package: ModuleType, on_lambda: Callable[..., Catalogue]
) -> None:
    drop(package, "alpha.py", MODULE.format(name="alpha"))
    found = on_lambda("nowhere", package.__name__)
    assert list(found) == ["alpha", "echo", "hash-blocks"]
    assert list(found.not_loaded) == ["nowhere"]


def test_elsewhere_a_module_that_cannot_be_imported_is_an_error(
    half_broken: ModuleType,
) -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        installed()


def test_a_catalogue_is_ordered_by_name() -> None:
    @processor("b")
    def second(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    @processor("a")
    def first(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    assert list(Catalogue([second, first])) == ["a", "b"]


def heavy(name: str, module: str = "processors.any") -> AnyProcessor:
    @processor(name, heavy_task=lambda blocks, block_mb: Input(text=f"{blocks} x {block_mb}"))
    def work(data: Input, ctx: TaskContext) -> Output:
        return Output(words=0)

    work.run.__module__ = module
    return work


def test_the_applications_heavy_task_is_taken_before_the_librarys() -> None:
    built_in = heavy("hash-blocks", BUILT_IN)
    assert Catalogue([built_in]).heavy_task is built_in
    own = heavy("zulu")
    assert Catalogue([built_in, own]).heavy_task is own
    assert Catalogue([]).heavy_task is None


def test_a_second_heavy_task_of_the_application_is_refused_wherever_it_is() -> None:
    several = [heavy("alpha", "processors.alpha"), heavy("beta", "shared.beta")]
    with pytest.raises(NotAProcessor, match="one processor, and alpha and beta have it"):
        Catalogue(several)


def test_hidden_processors_are_in_the_catalogue_and_not_shown() -> None:
    catalogue = Catalogue([heavy("alpha"), heavy("hash-blocks", BUILT_IN)])
    assert list(catalogue.shown(("hash-blocks", "none"))) == ["alpha"]
    assert "hash-blocks" in catalogue


def test_the_built_in_processors_return_what_they_say() -> None:
    context = FakeContext()
    assert echo.run(EchoInput(message=[1]), context) == EchoOutput(message=[1])
    found = hash_blocks.run(BlocksInput(blocks=3, block_mb=1), context)
    assert found.sha256 == [
        hashlib.sha256(b"%d" % number + bytes(1 << 20)).hexdigest() for number in range(3)
    ]
    assert [done for done, *_ in context.progressed] == [1, 2, 3]


@pytest.mark.parametrize("retry", [5, Retry, {"attempts": 5}, "5"])
def test_a_policy_that_is_none_is_refused(retry: Any) -> None:
    def work(data: Input, ctx: TaskContext) -> Output:
        raise NotImplementedError

    with pytest.raises(NotAProcessor, match="retry must be a Retry"):
        processor("work", retry=retry)(work)
