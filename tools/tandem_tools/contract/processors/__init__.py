"""The processors that the kept documents and the tests of the library are made with.

They stand in for an application's own: its processors come and go, and change no document of the
library.
"""
