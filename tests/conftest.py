"""What all tests need."""

import gc


def pytest_unconfigure() -> None:
    # The handler's module freezes what it finds: DuckDB would complain of it when it is unloaded.
    gc.unfreeze()
