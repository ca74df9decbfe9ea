"""A processor of the tests that has settings, and puts them wherever an error may put them."""

import logging
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from tandem.processing import Permanent, Retry, TaskContext, processor


class KnowingSettings(BaseModel):
    """A word that nobody is told, and how often it may be said."""

    known_word: SecretStr
    known_times: int = Field(default=1, le=100)


class Input(BaseModel):
    """How the attempt ends."""

    ending: Literal["success", "error", "permanent", "log"] = "success"


class Output(BaseModel):
    """How long the word is, and the settings as they show themselves."""

    characters: int
    settings: KnowingSettings


@processor(
    "knowing",
    retry=Retry(attempts=2, min_backoff_seconds=0.1),
    time_limit=8,
    settings=KnowingSettings,
)
def knowing(data: Input, ctx: TaskContext[KnowingSettings]) -> Output:
    """Return the length of the word that this processor is told."""
    word = ctx.settings.known_word.get_secret_value()
    match data.ending:
        case "error":
            raise ConnectionError(f"https://example.com/?word={word}") from KeyError(word)
        case "permanent":
            raise Permanent(f"the word is {word}")
        case "log":
            ctx.logger.info("knows", settings=ctx.settings)
            logging.getLogger(__name__).warning("knows %s", ctx.settings)
    return Output(characters=len(word) * ctx.settings.known_times, settings=ctx.settings)
