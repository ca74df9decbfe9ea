"""What holds for all tests."""

from hypothesis import settings

# A deadline for one example would measure the machine: each test has its own bound.
settings.register_profile("tandem", deadline=None)
settings.load_profile("tandem")
