"""The body of a stack's secret, changed by several people at a time, as they and AWS see it."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tandem_tools.errors import ToolError
from tandem_tools.settings import stack
from tandem_tools.settings.stack import SECRET_BYTES, TRIES, Body, SettingsSecret
from tests.adapter.conftest import Ports

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Made:
    """A secret as the template makes it, with those who change it."""

    def __init__(self, ports: Ports) -> None:
        assert ports.clients is not None
        self.client: SecretsManagerClient = ports.clients.secrets
        self.name = self.client.create_secret(Name=f"settings-{uuid4()}")["ARN"]
        self.secret = SettingsSecret(self.client, self.name)

    def put(self, **body: Any) -> None:
        """Give it a body, as someone in the console does."""
        self.client.put_secret_value(SecretId=self.name, SecretString=json.dumps(body))

    def labels(self) -> dict[str, int]:
        """Return how many versions have each label, those of one's own as one."""
        found = self.client.describe_secret(SecretId=self.name)["VersionIdsToStages"]
        labels = [label.split("-")[0] for one in found.values() for label in one]
        return {label: labels.count(label) for label in labels}


@pytest.fixture(params=["moto", "ministack"])
def made(request: pytest.FixtureRequest) -> Made:
    return Made(request.getfixturevalue(f"on_{request.param}"))


def adding(**more: Any) -> Any:
    def update(body: Body) -> Body:
        return body | more

    return update


def test_the_first_settings_are_set(made: Made) -> None:
    assert made.secret.read().body == {}
    made.secret.change(adding(A="1"))
    assert made.secret.read().body == {"A": "1"}
    assert made.labels()["AWSCURRENT"] == 1
    assert "tandem" not in made.labels()


def test_a_change_leaves_the_other_settings_and_the_body_before(made: Made) -> None:
    made.put(A="1", N=5)
    made.secret.change(adding(B="2"))
    assert made.secret.read().body == {"A": "1", "N": 5, "B": "2"}
    before = made.client.get_secret_value(SecretId=made.name, VersionStage="AWSPREVIOUS")
    assert json.loads(before["SecretString"]) == {"A": "1", "N": 5}
    assert "tandem" not in made.labels()


def test_a_change_that_changes_nothing_makes_no_version(made: Made) -> None:
    made.put(A="1")
    version = made.secret.read().version_id
    made.secret.change(adding(A="1"))
    assert made.secret.read().version_id == version


def test_what_others_set_in_between_stays(made: Made) -> None:
    made.put(A="1")
    calls: list[Body] = []

    def update(body: Body) -> Body:
        calls.append(body)
        if len(calls) == 1:
            made.put(A="theirs", T="theirs")
        return body | {"B": "ours"}

    made.secret.change(update)
    assert made.secret.read().body == {"A": "theirs", "T": "theirs", "B": "ours"}
    assert [one["A"] for one in calls] == ["1", "theirs"]
    assert "tandem" not in made.labels()


def test_what_others_set_first_of_all_stays(made: Made) -> None:
    calls: list[Body] = []

    def update(body: Body) -> Body:
        calls.append(body)
        if len(calls) == 1:
            made.put(T="theirs")
        return body | {"B": "ours"}

    made.secret.change(update)
    assert made.secret.read().body == {"T": "theirs", "B": "ours"}


def test_others_who_never_stop_are_told_of_and_nothing_is_set(made: Made) -> None:
    made.put(T=0)

    def update(body: Body) -> Body:
        made.put(T=body["T"] + 1)
        return body | {"B": "ours"}

    with pytest.raises(ToolError, match="Others changed the settings at the same time"):
        made.secret.change(update)
    assert made.secret.read().body == {"T": TRIES}


def test_all_of_many_changes_at_once_are_kept(on_ministack: Ports) -> None:
    made = Made(on_ministack)
    made.put(A="1")

    def change(number: int) -> None:
        while True:
            with suppress(ToolError):  # others came first, again and again
                made.secret.change(adding(**{f"N{number}": "x"}))
                return

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(change, range(12)))
    assert made.secret.read().body == {"A": "1"} | {f"N{number}": "x" for number in range(12)}
    assert "tandem" not in made.labels()


def test_a_body_that_is_too_large_is_refused_and_nothing_is_set(made: Made) -> None:
    made.put(A="1")
    with pytest.raises(ToolError, match=f"more than {SECRET_BYTES} bytes") as raised:
        made.secret.change(adding(B="ä" * (SECRET_BYTES // 6 + 1)))
    assert "ä" not in str(raised.value)
    assert made.secret.read().body == {"A": "1"}


@pytest.mark.parametrize("body", ["s3cr3t", '["s3cr3t"]', '{"s3cr3t":' * 9_000])
def test_a_body_that_is_no_object_is_told_of_without_a_word_of_it(made: Made, body: str) -> None:
    made.client.put_secret_value(SecretId=made.name, SecretString=body)
    with pytest.raises(ToolError, match="holds no JSON object") as raised:
        made.secret.change(adding(A="1"))
    assert "s3cr3t" not in str(raised.value)


def test_a_body_of_bytes_is_told_of_and_is_not_lost(on_moto: Ports) -> None:
    made = Made(on_moto)
    made.client.put_secret_value(SecretId=made.name, SecretBinary=b'{"A": "1"}')
    with pytest.raises(ToolError, match="holds no JSON object"):
        made.secret.change(adding(B="2"))
    kept = made.client.get_secret_value(SecretId=made.name)
    assert kept["SecretBinary"] == b'{"A": "1"}'


class Refusing:
    """Secrets Manager's client where no label can be moved, whatever the reason is."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_secret_version_stage(self, **_: Any) -> None:
        raise self._client.exceptions.InvalidParameterException(
            {"Error": {"Code": "InvalidParameterException", "Message": "no"}}, "Update"
        )


def test_a_refusal_for_another_reason_is_not_tried_again(made: Made) -> None:
    made.put(A="1")
    refusing = SettingsSecret(cast("SecretsManagerClient", Refusing(made.client)), made.name)
    calls: list[Body] = []

    def update(body: Body) -> Body:
        calls.append(body)
        return body | {"B": "2"}

    with pytest.raises(ToolError, match="refused to change"):
        refusing.change(update)
    assert len(calls) == 1


def test_what_is_set_is_set_though_its_own_label_cannot_be_taken_off(made: Made) -> None:
    class Leaving(Refusing):
        def update_secret_version_stage(self, **given: Any) -> None:
            if given["VersionStage"] != "AWSCURRENT":
                raise EndpointConnectionError(endpoint_url="https://secretsmanager.example.com")
            self._client.update_secret_version_stage(**given)

    made.put(A="1")
    leaving = SettingsSecret(cast("SecretsManagerClient", Leaving(made.client)), made.name)
    leaving.change(adding(B="2"))
    made.secret.change(adding(C="3"))
    assert made.secret.read().body == {"A": "1", "B": "2", "C": "3"}


class Killed(Refusing):
    """Moves no label and takes none off: a process that ended after it put a body."""

    def update_secret_version_stage(self, **_: Any) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("later", [{"B": "2"}, {"A": "1"}], ids=["a change", "none"])
def test_the_next_change_clears_one_that_was_killed(
    made: Made, monkeypatch: pytest.MonkeyPatch, later: Body
) -> None:
    made.put(A="1")
    killed = SettingsSecret(cast("SecretsManagerClient", Killed(made.client)), made.name)
    with pytest.raises(KeyboardInterrupt):
        killed.change(adding(B="2"))
    made.secret.change(adding(A="1"))
    assert made.labels()["tandem"] == 1  # it may be under way
    monkeypatch.setattr(stack, "CUT_SHORT", timedelta(seconds=-5))
    made.secret.change(adding(**later))
    assert "tandem" not in made.labels()
    assert made.secret.read().body == {"A": "1"} | later


def test_who_may_not_list_versions_may_set(made: Made) -> None:
    class Hiding(Refusing):
        def list_secret_version_ids(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListSecretVersionIds")

        def update_secret_version_stage(self, **given: Any) -> None:
            self._client.update_secret_version_stage(**given)

    made.put(A="1")
    SettingsSecret(cast("SecretsManagerClient", Hiding(made.client)), made.name).change(
        adding(B="2")
    )
    assert made.secret.read().body == {"A": "1", "B": "2"}


class Forgetful(Refusing):
    """Moves a label, and loses the answer: the SDK asks again, and is refused."""

    def update_secret_version_stage(self, **given: Any) -> None:
        self._client.update_secret_version_stage(**given)
        if given["VersionStage"] == "AWSCURRENT":
            super().update_secret_version_stage()


def test_a_move_whose_answer_was_lost_counts(made: Made) -> None:
    made.put(A="1")
    forgetful = SettingsSecret(cast("SecretsManagerClient", Forgetful(made.client)), made.name)
    forgetful.change(adding(B="2"))
    assert made.secret.read().body == {"A": "1", "B": "2"}


def test_a_secret_that_must_not_be_read_is_aws_own_error(made: Made) -> None:
    class Denying(Refusing):
        def get_secret_value(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")

    denied = SettingsSecret(cast("SecretsManagerClient", Denying(made.client)), made.name)
    with pytest.raises(ClientError, match="AccessDenied"):
        denied.change(adding(A="1"))
