from tests.unit.conftest import log
from tests.unit.http.conftest import api

__all__ = ["api", "log"]
