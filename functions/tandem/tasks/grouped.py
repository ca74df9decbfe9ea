"""The one error of a group that decides: `asyncio.TaskGroup` raises all of its tasks' together."""

from collections.abc import Callable
from typing import Any


def deciding(error: BaseException, weight: Callable[[BaseException], Any]) -> BaseException:
    """Return what decides how an attempt ended: the first of the heaviest errors of a group.

    Args:
        error: any error. One that is no group decides itself.
        weight: returns how much one error says.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    singles: list[BaseException] = []
    left: list[BaseException] = [error]
    while left:
        one = left.pop()
        if isinstance(one, BaseExceptionGroup):
            # Not what a class of the processor's own may say in its place.
            left.extend(reversed(_MEMBERS.__get__(one)))
        else:
            singles.append(one)
    return max(singles, key=weight)


_MEMBERS: Any = BaseExceptionGroup.__dict__["exceptions"]
