"""What holds for all tests."""

import os

from hypothesis import settings

from tandem.settings import settings as own_settings

# A process has the processors of its first look at the settings. The library's tests ask for those
# of the contract: the application's come and go. No child process is told.
os.environ["PROCESSORS"] = "tandem_tools.contract.processors,processors"
own_settings()
del os.environ["PROCESSORS"]

# A deadline for one example would measure the machine: each test has its own bound.
settings.register_profile("tandem", deadline=None)
settings.load_profile("tandem")
