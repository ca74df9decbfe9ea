import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from tandem.aws.secrets import ParametersSecretStore
from tandem.secrets import SecretsError
from tandem.testing import MemorySecretStore
from tests.adapter.conftest import Ports

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SlowClient:
    """Secrets Manager's client as far as it is used: it takes its time, and counts its calls."""

    class exceptions:  # noqa: N801 - as botocore names it
        class ResourceNotFoundException(ClientError):
            pass

    class meta:  # noqa: N801 - likewise
        class events:  # noqa: N801
            @staticmethod
            def register_last(*_: Any) -> None:
                return

    def __init__(self, code: str | None = None) -> None:
        self.calls: list[str] = []
        self._code = code

    def get_secret_value(self, SecretId: str, VersionStage: str = "AWSCURRENT") -> Any:  # noqa: N803
        self.calls.append(VersionStage)
        time.sleep(0.05)
        if self._code:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "GetSecretValue")
        return {"SecretString": f"{SecretId}-{VersionStage}"}


class BinaryClient(SlowClient):
    def get_secret_value(self, SecretId: str, VersionStage: str = "AWSCURRENT") -> Any:  # noqa: N803
        return {"SecretBinary": b"\xff"}


def store_over(client: SlowClient) -> ParametersSecretStore:
    return ParametersSecretStore(cast("SecretsManagerClient", client))


def test_a_secret_that_was_never_rotated_has_one_version(ports: Ports) -> None:
    assert ports.secrets.versions(ports.vault.create("first")) == ("first",)


def test_a_rotated_secret_has_its_value_and_the_one_before(ports: Ports) -> None:
    name = ports.vault.create("first")
    ports.vault.rotate(name, "second")
    assert ports.secrets.versions(name) == ("second", "first")
    other = ports.vault.create("other")
    assert ports.secrets.versions(other)[0] == "other"


def test_a_value_before_the_last_two_is_gone(ports: Ports) -> None:
    name = ports.vault.create("first")
    for value in ("second", "third"):
        ports.vault.rotate(name, value)
    assert ports.secrets.versions(name) == ("third", "second")


def test_a_secret_that_is_missing_is_an_error_that_names_it(ports: Ports) -> None:
    with pytest.raises(SecretsError, match="the secret nowhere cannot be read: there is none"):
        ports.secrets.versions("nowhere")


def test_a_secret_of_bytes_is_an_error_that_says_so(on_moto: Ports) -> None:
    assert on_moto.clients is not None
    on_moto.clients.secrets.create_secret(Name="bytes", SecretBinary=b"\xff\x00")
    with pytest.raises(SecretsError, match="the secret bytes is binary: keep it as text"):
        on_moto.secrets.versions("bytes")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AccessDeniedException", "this function's role may not read it"),
        ("DecryptionFailure", "its key does not decrypt it"),
        ("InternalServiceError", "InternalServiceError"),
    ],
)
def test_a_secret_that_cannot_be_read_says_why(code: str, why: str) -> None:
    with pytest.raises(SecretsError, match=f"^the secret key cannot be read: {why}"):
        store_over(SlowClient(code)).versions("key")


def test_many_threads_ask_once() -> None:
    client = SlowClient()
    store, together = store_over(client), Barrier(8)

    def ask(_: int) -> tuple[str, ...]:
        together.wait()
        return store.versions("key")

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(ask, range(8)))
    assert answers == {("key-AWSCURRENT", "key-AWSPREVIOUS")}
    assert client.calls == ["AWSCURRENT", "AWSPREVIOUS"]


def test_an_error_is_not_kept() -> None:
    client = SlowClient("ThrottlingException")
    store = store_over(client)
    for _ in range(2):
        with pytest.raises(SecretsError):
            store.versions("key")
    assert client.calls == ["AWSCURRENT"] * 2


def test_a_kept_secret_is_read_again_when_its_time_is_over(
    on_moto: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_PARAMETERS_MAX_AGE", "1")
    name = on_moto.vault.create("first")
    assert on_moto.secrets.versions(name) == ("first",)
    on_moto.vault.rotate(name, "second")
    assert on_moto.secrets.versions(name) == ("first",)
    time.sleep(1.1)
    assert on_moto.secrets.versions(name) == ("second", "first")


def test_the_current_value_follows_a_rotation_within_its_age(ports: Ports) -> None:
    name = ports.vault.create("first")
    assert ports.secrets.current(name, max_age_seconds=1) == "first"
    ports.vault.rotate(name, "second")
    time.sleep(1.1)
    assert ports.secrets.current(name, max_age_seconds=1) == "second"


def test_a_secret_that_was_never_given_a_value_is_empty(on_moto: Ports) -> None:
    assert on_moto.clients is not None
    name = on_moto.clients.secrets.create_secret(Name="empty")["ARN"]
    assert on_moto.secrets.current(name, max_age_seconds=60) == ""
    assert MemorySecretStore().current("empty", max_age_seconds=60) == ""


def test_the_current_value_is_kept_apart_from_both_versions(ports: Ports) -> None:
    name = ports.vault.create("first")
    assert ports.secrets.current(name, max_age_seconds=60) == "first"
    assert ports.secrets.versions(name) == ("first",)
    assert ports.secrets.current(name, max_age_seconds=60) == "first"


def test_the_current_value_is_asked_for_alone_and_once_by_many_threads() -> None:
    client = SlowClient()
    store, together = store_over(client), Barrier(8)

    def ask(_: int) -> str:
        together.wait()
        return store.current("key", max_age_seconds=60)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"key-AWSCURRENT"}
    assert client.calls == ["AWSCURRENT"]


def test_a_current_value_that_cannot_be_read_says_why_and_is_asked_for_again() -> None:
    client = SlowClient("AccessDeniedException")
    store = store_over(client)
    for _ in range(2):
        with pytest.raises(SecretsError, match="this function's role may not read it"):
            store.current("key", max_age_seconds=60)
    assert client.calls == ["AWSCURRENT"] * 2
    with pytest.raises(SecretsError, match="binary"):
        store_over(BinaryClient()).current("key", max_age_seconds=60)


def test_threads_that_wait_while_a_secret_cannot_be_read_do_not_ask_in_turn() -> None:
    client = SlowClient("InternalServiceError")
    store, together = store_over(client), Barrier(8)

    def ask(_: int) -> str:
        together.wait()
        with pytest.raises(SecretsError) as raised:
            store.current("key", max_age_seconds=60)
        return str(raised.value)

    with ThreadPoolExecutor(8) as threads:
        said = set(threads.map(ask, range(8)))
    assert said == {"the secret key cannot be read: InternalServiceError"}
    assert len(client.calls) < 3
    with pytest.raises(SecretsError):
        store.current("other", max_age_seconds=60)


def test_a_kept_value_is_read_again_for_whom_it_is_too_old(on_moto: Ports) -> None:
    name = on_moto.vault.create("first")
    current = on_moto.secrets.current
    assert current(name, max_age_seconds=300) == "first"
    on_moto.vault.rotate(name, "second")
    time.sleep(1.1)
    assert current(name, max_age_seconds=300) == "first"
    assert current(name, max_age_seconds=1) == "second"
    assert current(name, max_age_seconds=300) == "second"


def test_a_value_that_was_read_in_another_time_zone_is_not_kept_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = SlowClient()
    store = store_over(client)
    try:
        monkeypatch.setenv("TZ", "Asia/Tokyo")  # as a processor may beside another's attempt
        time.tzset()
        store.current("key", max_age_seconds=1)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    time.sleep(1.1)
    store.current("key", max_age_seconds=1)
    assert len(client.calls) == 2
