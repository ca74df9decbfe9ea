"""The decorator that makes a function a processor."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from tandem.processing.context import TaskContext
from tandem.tasks.retry import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an attempt has when nothing runs beside it, in the API's function or in the worker's.

    Example:
        @processor("count-lines", upload_mib=lambda has: min(has.memory_mib / 4, has.seconds * 20))
    """

    memory_mib: float
    """The function's memory, of which Python and Tandem need about 150."""
    disk_mib: float
    """The function's `/tmp`, empty."""
    seconds: float
    """The processor's time limit, or what the function, or the online budget, leaves of it."""


MAX_TIME_LIMIT_SECONDS = 840
"""Below Lambda's longest timeout of 900 s, with room to record the end."""


MAX_CACHE_SECONDS = 24 * 60 * 60
"""Below the shortest retention of a task, so that what is cached is still there."""


OnlineMode = Literal["promote", "wait", "never"]
"""What `POST /process-online` does with a processor."""


type UploadMib = float | Callable[[Resources], float] | None
"""How much of uploads a task may read: a figure, or one that the deployment's functions give."""


class NotAProcessor(TypeError):
    """The function's name, types or limits are not what a processor needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor[I: BaseModel, R: BaseModel | Awaitable[BaseModel]]:
    """A named, typed function that does the work. `R` is its output, or an awaitable of it."""

    name: str
    summary: str
    run: Callable[[I, TaskContext], R]
    input: type[I]
    output: type[BaseModel]
    retry: Retry
    time_limit_seconds: float
    cache_seconds: float = 0
    """How long an output answers the same input again. 0 runs it every time."""
    version: int = 1
    """Counts up when the same input may give another output: what is cached is then void."""
    online: OnlineMode = "promote"
    upload_mib: UploadMib = None
    """How many MiB of uploads a task may read in all. None where the processor does not say."""
    heavy_task: Callable[[int, int], BaseModel] | None = None
    """The input of a task that `GET /heavy-task` starts. None where it starts no such task."""
    settings: type[BaseModel] | None = None
    """The model of `ctx.settings`. None where the processor needs none: nothing is then read."""


AnyProcessor = Processor[Any, Any]


def processor[I: BaseModel, R: BaseModel | Awaitable[BaseModel]](
    name: str,
    *,
    retry: Retry | None = None,
    time_limit: float = 60,
    cache_for: float = 0,
    version: int = 1,
    online: OnlineMode = "promote",
    upload_mib: UploadMib = None,
    heavy_task: Callable[[int, int], BaseModel] | None = None,
    settings: type[BaseModel] | None = None,
) -> Callable[[Callable[[I, TaskContext], R]], Processor[I, R]]:
    """Make a function of an input model and a `TaskContext` a processor.

    Args:
        name: what callers name it by: lower-case words joined by hyphens.
        retry: when a failed attempt is tried again. By default `Retry()`.
        time_limit: how many seconds one attempt may take.
        cache_for: for a pure function, how many seconds its output answers the same input of the
            same tenant again, without a run.
        version: to be counted up when the same input may give another output.
        online: what a request that waits for the answer does. With "promote" the API runs the
            processor. Past the request's time budget, or after the API's process died, the worker
            starts it again. With "wait" only the worker runs it, and the request waits for its end
            as long as the budget lasts. With "never" such a request is refused.
        upload_mib: how many MiB of uploads a task may read, all of them together: a figure, or a
            function of the `Resources` that it has, which is asked for the API's and for the
            worker's. 0 says that it reads none. A task that needs more than the API's goes on
            offline, and one that needs more than the worker's fails before it reads a byte.
        heavy_task: names this processor for `GET /heavy-task`: returns the input for a number of
            blocks and their size in MiB. One processor of an application at most has it.
        settings: the model of `ctx.settings`. Each of its fields is the setting of that name in
            capitals. Processors that need the same settings name the same model.

    Raises:
        NotAProcessor: the name, a limit, the policy, the settings, or the function's annotations do
            not fit.

    Example:
        @processor("load-table", upload_mib=lambda has: min(has.memory_mib / 5, has.disk_mib))

        @processor("count-words", retry=Retry(attempts=5), time_limit=60)
        def count_words(data: Input, ctx: TaskContext) -> Output:
            return Output(words=len(data.text.split()))
    """
    if not isinstance(name, str):
        message = 'a processor needs a name: write @processor("count-words") above its function'
        raise NotAProcessor(message)

    def decorate(function: Callable[[I, TaskContext], R]) -> Processor[I, R]:
        _check(name, time_limit, cache_for, online)
        _check_retry(name, retry)
        _check_upload_mib(name, upload_mib)
        hints = get_type_hints(function)
        parameters = list(inspect.signature(function).parameters)
        input_model, output_model = _models(name, parameters, hints)
        _check_settings(name, hints.get(parameters[1]), settings)
        summary = (inspect.getdoc(function) or name).partition("\n")[0]
        return Processor(
            name=name,
            summary=summary,
            run=function,
            input=input_model,
            output=output_model,
            retry=retry or Retry(),
            time_limit_seconds=time_limit,
            cache_seconds=cache_for,
            version=version,
            online=online,
            upload_mib=upload_mib,
            heavy_task=heavy_task,
            settings=settings,
        )

    return decorate


def _check(name: str, time_limit: float, cache_for: float, online: str) -> None:
    words = name.split("-")
    if len(name) > 64 or not all(w.isascii() and w.isalnum() and w == w.lower() for w in words):
        message = f"{name!r} must be lower-case words joined by hyphens, 64 characters at most"
        raise NotAProcessor(message)
    for option, seconds in {"time_limit": time_limit, "cache_for": cache_for}.items():
        if not isinstance(seconds, int | float):
            message = f"{name}: {option} must be a number of seconds, such as {option}=60"
            raise NotAProcessor(message)
    if not 0 < time_limit <= MAX_TIME_LIMIT_SECONDS:
        message = f"{name}: time_limit must be above 0 and at most {MAX_TIME_LIMIT_SECONDS} s"
        raise NotAProcessor(message)
    if not 0 <= cache_for <= MAX_CACHE_SECONDS:
        message = f"{name}: cache_for must be from 0 to {MAX_CACHE_SECONDS} s"
        raise NotAProcessor(message)
    if online not in get_args(OnlineMode):
        message = f"{name}: online must be one of {', '.join(get_args(OnlineMode))}"
        raise NotAProcessor(message)


def _check_retry(name: str, retry: object) -> None:
    if retry is not None and not isinstance(retry, Retry):
        message = f"{name}: retry must be a Retry, such as Retry(attempts=5)"
        raise NotAProcessor(message)


def _check_upload_mib(name: str, upload_mib: Any) -> None:
    if upload_mib is not None and not callable(upload_mib) and not upload_mib >= 0:
        message = f"{name}: upload_mib must be 0 or more, or a function of what an attempt has"
        raise NotAProcessor(message)


def _check_settings(name: str, context: Any, settings: type[BaseModel] | None) -> None:
    if settings is not None:
        from tandem.processing.settings import flaw_of

        if (flaw := flaw_of(settings)) is not None:
            message = f"{name}: settings cannot be made of {settings!r}: {flaw}"
            raise NotAProcessor(message)
    if get_origin(context) is TaskContext and get_args(context)[0] not in {settings, Any}:
        message = f"{name}: say settings=Model of the model that its TaskContext[Model] names"
        raise NotAProcessor(message)


def _models(name: str, parameters: list[str], hints: dict[str, Any]) -> tuple[type[Any], type[Any]]:
    models = (hints.get(parameters[0]) if len(parameters) == 2 else None, hints.get("return"))
    for model in models:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            message = f"{name}: write it as (data: Input, ctx: TaskContext) -> Output, of models"
            raise NotAProcessor(message)
    return models  # type: ignore[return-value]  # both were just shown to be model types
