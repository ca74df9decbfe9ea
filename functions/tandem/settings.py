"""The settings of a function, read from its environment in one place."""

import os
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


def _listed(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class SettingsError(Exception):
    """The environment does not hold the settings that the function needs."""


class Settings(BaseModel):
    """What can be set. Each field is read from the environment variable of its name in capitals."""

    model_config = ConfigDict(frozen=True)

    environment: str = "dev"
    processors: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_.]*$")], ...], BeforeValidator(_listed)
    ] = ("processors",)
    """The packages that the application's processors are in."""
    hidden_processors: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("hash-blocks",)
    """Processors that run and that callers are not told of."""
    table_name: str = ""
    queue_url: str = ""
    dead_letter_queue_url: str = ""
    bucket_name: str = ""
    tenant_claim: str = "client_id"
    jwt_issuer: str = ""
    oauth_url: str = ""
    console_client_id: str = ""
    console_url: str = ""
    thread_pool_size: int = Field(default=5, ge=1, le=64)
    max_receive_count: int = Field(default=10, ge=1)
    online_budget_seconds: float = Field(default=20, gt=0, le=28)
    api_memory_mb: int = Field(default=1024, ge=1)
    api_storage_mb: int = Field(default=512, ge=1)
    worker_memory_mb: int = Field(default=1769, ge=1)
    worker_storage_mb: int = Field(default=2048, ge=1)
    worker_timeout_seconds: float = Field(default=120, gt=0)
    task_retention_days: int = Field(default=30, ge=7, le=3650)
    tenant_tasks_per_second: float = Field(default=0, ge=0)
    tenant_tasks_burst: int = Field(default=100, ge=1)
    index_shards: int = Field(default=4, ge=1, le=100)
    prepare_at_init: bool = False
    processor_settings_secret: str = ""
    settings_max_age_seconds: int = Field(default=300, ge=1, le=3600)
    callback_queue_url: str = ""
    callback_dead_letter_queue_url: str = ""
    callback_secret: str = ""
    api_version: str = ""
    worker_version: str = ""
    callback_version: str = ""
    report_version: str = ""
    callback_retry_seconds: Annotated[
        tuple[Annotated[int, Field(ge=1, le=39_600)], ...], BeforeValidator(_listed)
    ] = (5, 300, 1800, 7200, 18_000, 36_000)
    callback_allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_listed)
    ] = ()

    stack_name: str = "tandem"
    report_to_cloudwatch: bool = True
    report_topic_arn: str = ""
    report_webhook_url: Annotated[str, Field(pattern=r"^(https://.+)?$")] = ""
    report_webhook_secret: str = ""
    otlp_endpoint: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    otlp_headers_secret: str = ""

    def need(self, name: str) -> str:
        """Return a setting that has no default.

        Raises:
            SettingsError: it is not set.
        """
        value: str = getattr(self, name)
        if not value:
            message = f"the environment variable {name.upper()} is not set"
            raise SettingsError(message)
        return value


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that these environment variables hold.

    Raises:
        SettingsError: one has a value that it cannot have. The message names it.
    """
    found = {
        name: environment[name.upper()]
        for name in Settings.model_fields
        if environment.get(name.upper())
    }
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        wrong = "; ".join(
            f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()
        )
        raise SettingsError(wrong) from None


@cache
def settings() -> Settings:
    """Return this process's settings, read once."""
    return read_settings(os.environ)
