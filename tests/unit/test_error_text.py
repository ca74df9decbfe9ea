"""What the owner of a task is told of an exception."""

import socket
import ssl
from http.client import BadStatusLine
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from pydantic import BaseModel, Field, ValidationError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from tandem.callbacks.ports import Unreachable
from tandem.files.blobs import BlobMissing
from tandem.secrets import SecretsError
from tandem.tasks.retry import Permanent
from tandem.text import aws_code, error_text, error_type

ARN = "arn:aws:sts::123456789012:assumed-role/tandem-prod-Worker/tandem-prod-WorkerFunction"
DENIED = {
    "Error": {"Code": "AccessDenied", "Message": f"User: {ARN} is not authorized"},
    "ResponseMetadata": {"RequestId": "R", "HostId": "H"},
}
LONG = 1000


def raised(response: Any) -> ClientError:
    return ClientError(response, "GetObject")


class Derived(ClientError):
    """A client's own class of an error, as botocore makes one."""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (raised(DENIED), "AWS answered AccessDenied"),
        (Derived(DENIED, "GetItem"), "AWS answered AccessDenied"),  # type: ignore[arg-type]
        (raised({"Error": {"Code": ARN + " " * 200}}), "ClientError"),
        (raised({"Error": {"Code": "a\nb"}}), "ClientError"),
        (raised({"Error": {"Code": 404}}), "ClientError"),
        (raised({"Error": {}}), "ClientError"),
        (raised({}), "ClientError"),
        (EndpointConnectionError(endpoint_url=f"https://{ARN}"), "EndpointConnectionError"),
        (NoCredentialsError(), "NoCredentialsError"),
        (MaxRetryError(None, f"/{ARN}"), "MaxRetryError"),  # type: ignore[arg-type]
        (NewConnectionError(None, ARN), "NewConnectionError"),  # type: ignore[arg-type]
        (socket.gaierror(-2, ARN), "gaierror"),
        (ssl.SSLError(1, ARN), "SSLError"),
        (BadStatusLine(ARN), "BadStatusLine"),
        (SecretsError(f"the secret {ARN} cannot be read"), "SecretsError"),
        (Unreachable(ARN), "Unreachable"),
        (BlobMissing(), "BlobMissing"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_aws_and_the_network_say_is_told_as_a_class_and_a_code(
    error: Exception, text: str
) -> None:
    assert error_text(error, LONG) == text


def test_the_classes_that_a_client_makes_are_aws_s(on_moto_s3: Any) -> None:
    with pytest.raises(ClientError) as failure:
        on_moto_s3.get_object(Bucket="no-such-bucket-of-ours", Key="k")
    assert type(failure.value).__module__ == "botocore.errorfactory"
    assert error_text(failure.value, LONG) == "AWS answered NoSuchBucket"


@pytest.fixture
def on_moto_s3(monkeypatch: pytest.MonkeyPatch) -> Any:
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.Session(region_name="us-east-1").client("s3")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("row 7 has no id"), "row 7 has no id"),
        (Permanent("there is no upload '1'"), "there is no upload '1'"),
        (KeyError("name"), "'name'"),
        (RuntimeError(), "RuntimeError"),
        (RuntimeError(""), "RuntimeError"),
        (ValueError("a\x00b\ud800c\x1b\ufffe"), "a\ufffdb\ufffdc\ufffd\ufffd"),
        (ValueError("x" * 10**6), "x" * LONG),
        (SystemExit(3), "3"),
        (ExceptionGroup("several", [ValueError("a")]), "several (1 sub-exception)"),
    ],
    ids=lambda value: ascii(str(value)[:30]),
)
def test_what_a_processor_says_is_told(error: BaseException, text: str) -> None:
    assert error_text(error, LONG) == text


class Raises(Exception):
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        raise self._error


class Returns(Exception):
    def __init__(self, value: Any) -> None:
        self._value = value

    def __str__(self) -> Any:
        return self._value


class Endless(Exception):
    def __str__(self) -> str:
        return str(self)


class OddText(str):
    __slots__ = ()

    def __getitem__(self, _: Any) -> Any:
        raise IndexError

    def __len__(self) -> int:
        raise ValueError


@pytest.mark.parametrize(
    "error",
    [
        *map(Raises, (ValueError(), SystemExit(), KeyboardInterrupt(), GeneratorExit())),
        *map(Returns, (None, 1, b"text", [])),
        Endless(),
    ],
    ids=lambda error: repr(error.__dict__),
)
def test_an_exception_that_has_no_text_is_told_by_its_class(error: Exception) -> None:
    assert error_text(error, LONG) == type(error).__name__


def test_a_text_that_is_no_plain_text_becomes_one() -> None:
    text = error_text(Returns(OddText("odd")), 2)
    assert (type(text), text) == (str, "od")


@pytest.mark.parametrize(
    ("name", "told"), [("x" * 10_000, "x" * 100), ("a\x1bb", "a\ufffdb"), ("", "Exception")]
)
def test_the_name_of_a_class_is_bounded_and_can_be_stored(name: str, told: str) -> None:
    error = type(name, (Exception,), {})()
    assert (error_type(error), error_text(error, LONG)) == (told, told)


@pytest.mark.parametrize("module", [None, 7, "", "botocored.x", "tandem.tasks", "tandem"])
def test_a_class_of_any_other_module_is_the_processors_own(module: Any) -> None:
    kind = type("Own", (Exception,), {"__module__": module})
    assert error_text(kind("said"), LONG) == "said"


class Row(BaseModel):
    id: int
    names: list[str] = Field(default=[], max_length=2)


def test_of_an_invalid_model_each_part_is_told_with_its_place_and_not_its_value() -> None:
    with pytest.raises(ValidationError) as failure:
        Row.model_validate({"id": "SECRET", "names": ["a", 5]})
    assert error_text(failure.value, LONG) == (
        "id: Input should be a valid integer, unable to parse string as an integer; "
        "names/1: Input should be a valid string"
    )
    assert len(error_text(failure.value, 20)) == 20


class WithResponse(Exception):
    def __init__(self, response: Any) -> None:
        self.response = response


class Broken(Exception):
    @property
    def response(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "error",
    [
        *map(
            WithResponse,
            (None, 1, {}, {"Error": "text"}, {"Error": None}, {"Error": {"Code": ["a"]}}),
        ),
        WithResponse({"Error": {"Code": "a b"}}),
        WithResponse({"Error": {"Code": "x" * 101}}),
        Broken(),
        ValueError("x"),
    ],
    ids=lambda error: repr(error.__dict__),
)
def test_an_exception_without_a_code_of_aws_has_none(error: Exception) -> None:
    assert aws_code(error) is None


def test_the_code_of_aws_is_found() -> None:
    assert aws_code(raised(DENIED)) == "AccessDenied"
    assert aws_code(raised({"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue"}})) == (
        "AWS.SimpleQueueService.NonExistentQueue"
    )
