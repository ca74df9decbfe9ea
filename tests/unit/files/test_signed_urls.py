"""The addresses that uploads and downloads go to: the bucket's own, in its own region."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tandem.aws import clients
from tandem.aws.s3 import S3BlobStore

BUCKET = "tandem-dev-taskbucket-1a2b3c"
HOSTS = {
    "us-east-1": f"{BUCKET}.s3.us-east-1.amazonaws.com",
    "eu-central-1": f"{BUCKET}.s3.eu-central-1.amazonaws.com",
    "ap-east-1": f"{BUCKET}.s3.ap-east-1.amazonaws.com",
    "me-south-1": f"{BUCKET}.s3.me-south-1.amazonaws.com",
    "eu-south-1": f"{BUCKET}.s3.eu-south-1.amazonaws.com",
    "il-central-1": f"{BUCKET}.s3.il-central-1.amazonaws.com",
    "us-gov-west-1": f"{BUCKET}.s3.us-gov-west-1.amazonaws.com",
    "cn-north-1": f"{BUCKET}.s3.cn-north-1.amazonaws.com.cn",
}
"""For each region its host: the oldest, some that opened since 2019, and two other partitions."""
MINUTE = timedelta(minutes=1)
PART_BYTES = 8 * 1024 * 1024
"""Above it, boto3 uploads a file in parts."""

type Stores = Callable[[str], S3BlobStore]


@pytest.fixture
def store_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """Make the store as a function in a region has it."""

    def make(region: str) -> S3BlobStore:
        monkeypatch.setenv("AWS_REGION", region)
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        forget()
        return S3BlobStore(clients.s3(), BUCKET)

    def forget() -> None:
        clients._client.cache_clear()
        clients._session.cache_clear()

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")
    yield make
    forget()


def form_url(store: S3BlobStore) -> str:
    return store.upload_form(
        "uploads/acme/1", filename="a.csv", content_type="text/csv", max_bytes=1, lifetime=MINUTE
    ).url


@pytest.mark.parametrize(("region", "host"), HOSTS.items())
def test_what_is_signed_names_the_bucket_in_its_own_region(
    store_in: Stores, region: str, host: str
) -> None:
    store = store_in(region)
    assert form_url(store) == f"https://{host}/"
    url = store.download_url("tasks/1/result.json", lifetime=MINUTE, filename="result.json")
    assert url.startswith(f"https://{host}/tasks/1/result.json?")
    assert store.origin() == f"https://{host}"


@pytest.mark.parametrize(("region", "host"), HOSTS.items())
def test_a_large_file_is_sent_in_parts_to_its_own_region(
    store_in: Stores, region: str, host: str, tmp_path: Path
) -> None:
    store = store_in(region)
    asked: set[tuple[str, str]] = set()

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        asked.add((request.method, urlsplit(request.url).netloc))
        body = b"<Result><UploadId>1</UploadId></Result>" if request.method == "POST" else b""
        headers: Any = {"ETag": '"1"'}
        return AWSResponse(request.url, 200, headers, _Raw(body))

    events: Any = clients.s3().meta.events
    events.register("before-send.s3", answer)
    file = tmp_path / "large.csv"
    file.write_bytes(bytes(PART_BYTES + 1))
    store.put("tasks/1/large.csv", file, content_type="text/csv")
    assert asked == {("POST", host), ("PUT", host)}


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_of_ones_own_has_its_buckets_below_its_one_name(
    store_in: Stores, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://localhost:4566")
    store = store_in("eu-south-1")
    assert form_url(store) == f"http://localhost:4566/{BUCKET}"
    url = store.download_url("tasks/1/result.json", lifetime=MINUTE)
    assert url.startswith(f"http://localhost:4566/{BUCKET}/tasks/1/result.json?")
    assert store.origin() == "http://localhost:4566"


class _Raw:
    """A body as urllib3 gives it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body

    def read(self, *_: Any, **__: Any) -> bytes:
        return self._body
