"""The command's profiles: a file for each, readable by this user alone."""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import httpx2
import platformdirs
from pydantic import AfterValidator, BaseModel, ValidationError

from tandem_client.auth import AccessToken, ClientCredentials, StaticToken
from tandem_client.errors import TandemError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NOT_LOGGED_IN = "urn:tandem:client:not-logged-in"


def _safe_url(text: str) -> str:
    """Return the URL of a place that secrets may be sent to."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from None
    if not url.host or url.scheme not in {"https", "http"}:
        message = f"{text!r} is no URL: it begins with https://"
        raise ValueError(message)
    if url.scheme == "http" and url.host not in _LOOPBACK:
        message = f"{text!r} would send secrets in the clear: use https://"
        raise ValueError(message)
    return text.rstrip("/")


SafeUrl = Annotated[str, AfterValidator(_safe_url)]


class Profile(BaseModel):
    """An API, and who calls it."""

    url: SafeUrl
    token_url: SafeUrl
    client_id: str
    client_secret: str
    scope: str | None = None
    stack_file: Path | None = None
    """Of a stack on this machine, where each start makes the rest anew: what describes it."""
    operator: bool = False
    """Whether the profile is that stack's operator."""

    def auth(
        self,
        *,
        token: AccessToken | None = None,
        keep: Callable[[AccessToken], None] | None = None,
    ) -> ClientCredentials:
        """Return where its tokens come from: the one that was kept, then new ones."""
        return ClientCredentials(
            self.token_url,
            self.client_id,
            self.client_secret,
            scope=self.scope,
            token=token,
            keep=keep,
        )


def local_profile(stack_file: Path, *, operator: bool) -> Profile:
    """Return the profile of a stack of `make run`, as its description is now.

    Raises:
        TandemError: it does not run.
    """
    try:
        stack = json.loads(stack_file.read_text())
    except FileNotFoundError:
        detail = f"There is no {stack_file}: is the stack running (make run)?"
        raise TandemError(_NOT_LOGGED_IN, detail) from None
    who = "operator_client" if operator else "client"
    return Profile(
        url=stack["url"],
        token_url=stack["token_url"],
        client_id=stack[f"{who}_id"],
        client_secret=stack[f"{who}_secret"],
        stack_file=stack_file,
        operator=operator,
    )


def save(name: str, profile: Profile) -> Path:
    """Keep a profile, and return the file that it is in."""
    _token_file(name).unlink(missing_ok=True)
    file = _profile_file(name)
    _write(file, profile.model_dump_json(indent=2) + "\n")
    return file


def forget(name: str) -> bool:
    """Remove a profile and its token, and return whether it was there."""
    _token_file(name).unlink(missing_ok=True)
    file = _profile_file(name)
    was_there = file.exists()
    file.unlink(missing_ok=True)
    return was_there


def load(name: str | None) -> tuple[str, httpx2.Auth]:
    """Return the URL and the identity of a profile.

    Without a name the environment comes first, then the profile `default`.

    Raises:
        TandemError: there is no such profile.
    """
    if name is None and (url := os.environ.get("TANDEM_URL")):
        return _from_environment(url)
    name = name or "default"
    try:
        profile = Profile.model_validate_json(_profile_file(name).read_text())
    except FileNotFoundError:
        option = "" if name == "default" else f" --profile {name}"
        raise TandemError(
            _NOT_LOGGED_IN, f"There is no profile {name!r} yet: tandem login{option}"
        ) from None
    except ValidationError:
        raise TandemError(
            _NOT_LOGGED_IN, f"{_profile_file(name)} is damaged: log in again."
        ) from None
    if profile.stack_file is not None:
        before, profile = profile, local_profile(profile.stack_file, operator=profile.operator)
        if profile != before:
            save(name, profile)
    kept = _token_file(name)
    return profile.url, profile.auth(
        token=_kept_token(kept), keep=lambda token: _write(kept, json.dumps(asdict(token)))
    )


def _from_environment(url: str) -> tuple[str, httpx2.Auth]:
    if token := os.environ.get("TANDEM_TOKEN"):
        return _checked_url(url), StaticToken(token)
    fields = ("token_url", "client_id", "client_secret", "scope")
    given = {name: os.environ.get(f"TANDEM_{name.upper()}") for name in fields}
    try:
        profile = Profile.model_validate(
            {"url": url, **{name: value for name, value in given.items() if value}}
        )
    except ValidationError as error:
        raise TandemError(_NOT_LOGGED_IN, f"In the environment: {complaint(error)}") from None
    return profile.url, profile.auth()


def _checked_url(url: str) -> str:
    try:
        return _safe_url(url)
    except ValueError as error:
        detail = f"In the environment: TANDEM_URL: {error}"
        raise TandemError(_NOT_LOGGED_IN, detail) from None


def complaint(error: ValidationError) -> str:
    """Return what is wrong with a profile."""
    first = error.errors()[0]
    name = f"TANDEM_{str(first['loc'][0]).upper()}"
    said = first.get("ctx", {}).get("error") or "it is missing"
    return f"{name}: {said}"


def _kept_token(file: Path) -> AccessToken | None:
    try:
        return AccessToken(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _profile_file(name: str) -> Path:
    return _folder() / "profiles" / f"{_checked(name)}.json"


def _token_file(name: str) -> Path:
    return _folder() / "tokens" / f"{_checked(name)}.json"


def _folder() -> Path:
    chosen = os.environ.get("TANDEM_CONFIG_DIR")
    return Path(chosen) if chosen else platformdirs.user_config_path("tandem")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no name for a profile: letters, digits, dots and hyphens only."
        raise TandemError(_NOT_LOGGED_IN, message)
    return name


def _write(file: Path, text: str) -> None:
    """Write a file that only this user may read, at once or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        part.replace(file)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
