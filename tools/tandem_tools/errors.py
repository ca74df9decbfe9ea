"""The error that commands show: what went wrong, and what to do about it."""


class ToolError(Exception):
    """Something that stops a command, with the advice that gets past it."""

    def __init__(self, problem: str, advice: str) -> None:
        """Say in one sentence each what went wrong and what to do."""
        super().__init__(f"{problem}\n  → {advice}")
        self.problem = problem
        self.advice = advice


def ask(question: str) -> str:
    """Return what someone at the terminal answers, without blanks around it.

    Raises:
        ToolError: there is nobody.
    """
    try:
        return input(question).strip()
    except EOFError:
        raise ToolError("Nobody is there to answer: nothing was begun.", "Say YES=1.") from None
