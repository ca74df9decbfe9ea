"""A port that is taken is refused before anything starts."""

import socket

import pytest

from tandem_tools.errors import ToolError
from tandem_tools.ports import LOOPBACK, free_port, require_free


def test_a_taken_port_is_refused_with_the_variable_that_chooses_another() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ToolError, match=f"make run PORT={port + 1}"):
            require_free(port, "PORT")


def test_a_free_port_is_taken() -> None:
    require_free(free_port(), "PORT")
