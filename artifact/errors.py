"""The one error of the build: what went wrong, and what to do about it."""


class ArtifactError(Exception):
    """Something that keeps an artifact from being made or trusted, with the advice that helps."""

    def __init__(self, problem: str, advice: str) -> None:
        """Say in one sentence each what went wrong and what to do."""
        super().__init__(f"{problem}\n  → {advice}")
        self.problem = problem
        self.advice = advice
