"""AWS clients, made on first use: each costs a start as much as many imports."""

import os
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

if TYPE_CHECKING:
    from botocore.session import Session as BotocoreSession
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


_FIRST_ERROR_STATUS = 300
"""The least status of an answer that the SDK raises as an error."""
_SET_AT_START = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def dynamodb() -> "DynamoDBClient":
    """Return this process's DynamoDB client."""
    return cast("DynamoDBClient", _client("dynamodb"))


def sqs() -> "SQSClient":
    """Return this process's SQS client."""
    return cast("SQSClient", _client("sqs"))


def s3() -> "S3Client":
    """Return this process's S3 client, whose addresses name the bucket in its own region.

    S3's global endpoint redirects requests for a new bucket, and refuses a bucket in a region that
    opened since 2019.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingBackwardsCompatibility
    """
    return cast("S3Client", _client("s3", signature_version="s3v4"))


def secrets_manager() -> "SecretsManagerClient":
    """Return this process's Secrets Manager client."""
    return cast("SecretsManagerClient", _client("secretsmanager"))


def sns() -> "SNSClient":
    """Return this process's SNS client. What it fails at, the next run tries again."""
    return cast("SNSClient", _client("sns", read_timeout=5, max_attempts=2))


def session_ends_at() -> datetime | None:
    """Return when the session ends that signs for this process. None where nobody says.

    Lambda says it to functions with SnapStart, which ask for their credentials. The others have
    theirs in environment variables, with no end.
    """
    credentials = _session().get_credentials()
    end: datetime | None = getattr(credentials, "_expiry_time", None)  # it has no public name
    return end and end.astimezone(UTC)


def prepare(*clients: object) -> None:
    """Make these clients now, where they are not made yet.

    Lambda gives a start a whole processor, and a request a share of one.
    """
    for client in clients:
        if isinstance(client, _OnFirstUse):
            client.made()


@cache
def _client(service: str, **more: Any) -> "_OnFirstUse":
    return _OnFirstUse(service, more)


class _OnFirstUse:
    """A client that is made, once, when it is first asked for anything."""

    def __init__(self, service: str, more: dict[str, Any]) -> None:
        self._service = service
        self._more = more
        self._lock = Lock()
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made or self.made(), name)

    def made(self) -> Any:
        """Return the client itself."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
                self._made.meta.events.register_first("after-call", self._name_errors)
            return self._made

    @property
    def exceptions(self) -> Any:
        """The classes of the client's errors, made by one thread alone.

        The SDK makes them at their first use, with no lock: of two threads that meet their first
        error at once, each may have classes of its own, and catches none of what the other raises.
        """
        client = self.made()
        with self._lock:
            return client.exceptions

    def _name_errors(self, http_response: Any, **_: Any) -> None:
        """Make the classes before the SDK looks for the one of an answer."""
        if http_response.status_code >= _FIRST_ERROR_STATUS:
            _ = self.exceptions

    def _make(self) -> Any:
        from botocore.config import Config

        # A processor that is running may have emptied the environment of the process.
        for name, value in _SET_AT_START.items():
            os.environ.setdefault(name, value)

        more = dict(self._more)
        usual: dict[str, Any] = {
            "connect_timeout": 2,
            "read_timeout": 10,
            "retries": {"mode": "standard", "max_attempts": more.pop("max_attempts", 4)},
            "max_pool_connections": 64,
        }
        config = Config(**usual | more)
        if self._service == "s3":
            # boto3 adds what reads and writes files in parts; it costs a tenth of a client.
            from boto3.session import Session

            config = config.merge(Config(s3=_addressing()))
            return Session(botocore_session=_session()).client("s3", config=config)
        if self._service == "dynamodb" and os.environ.get("AWS_SAM_LOCAL"):
            # `sam local` names an account that is none, and the SDK would call that one's endpoint.
            config = config.merge(Config(account_id_endpoint_mode="disabled"))
        client = _session().create_client(self._service, config=config)
        if self._service == "dynamodb":
            client.meta.events.register_last("after-call.dynamodb", refuse_damaged)
        return client


def _addressing() -> Any:
    """Return how S3's addresses are made: as `bucket.s3.eu-south-1.amazonaws.com` is.

    An endpoint of one's own, such as an emulator, has one host name, which all buckets share.
    """
    given = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {
        "addressing_style": "path" if given else "virtual",  # Never ran on AWS: signed URLs
        "us_east_1_regional_endpoint": "regional",
    }


class DamagedAnswer(Exception):
    """Every answer to a call came damaged: whether it was carried out is not known."""


def refuse_damaged(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    """Raise for an answer that the SDK gave up on, and returns as if it were right.

    DynamoDB's answers carry a sum, and the SDK asks again where it does not fit. After its last try
    it returns what it read: half of a task is no item at all, and would be a task that is not
    there.

    Raises:
        DamagedAnswer: the last try's answer did not fit its sum.
    """
    tries = parsed.get("ResponseMetadata", {})
    last = tries.get("MaxAttemptsReached") or tries.get("RetryQuotaReached")
    checksum = http_response.headers.get("x-amz-crc32") if last else None
    if checksum is not None and crc32(http_response.content) != int(checksum):
        message = "the answers of DynamoDB came damaged"
        raise DamagedAnswer(message)


@cache
def _session() -> "BotocoreSession":
    """Return what all clients share: their data, credentials and connections."""
    from botocore.session import get_session

    return get_session()
