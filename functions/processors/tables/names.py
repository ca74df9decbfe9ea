"""Names of columns, as DuckDB numbers those that come twice."""

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)  # DuckDB lets only these letters be equal


def folded(name: str) -> str:
    """Return what is the same for names that DuckDB takes for one."""
    return name.translate(_LOWER)


def numbered(names: Sequence[str]) -> list[str]:
    """Return the names, those that come again, in whatever case, with `_1`, `_2` and so on."""
    taken: set[str] = set()
    repetitions: dict[str, int] = {}
    result = []
    for name in names:
        unique = name
        while folded(unique) in taken:
            number = repetitions[folded(name)] = repetitions.get(folded(name), 0) + 1
            unique = f"{name}_{number}"
        taken.add(folded(unique))
        result.append(unique)
    return result
