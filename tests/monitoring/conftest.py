from tests.unit.api.conftest import api
from tests.unit.conftest import log

__all__ = ["api", "log"]
