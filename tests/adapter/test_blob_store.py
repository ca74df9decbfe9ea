import json
from base64 import b64decode
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import httpx2
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from urllib3.response import HTTPResponse

from tandem.aws.s3 import S3BlobStore
from tandem.files.blobs import BlobMissing
from tests.adapter.conftest import Ports
from tests.factories.filenames import GOOD_NAMES

METADATA_BYTES = 2048
URL_BYTES = 8192
MINUTE = timedelta(minutes=1)


def test_a_document_is_read_back_whole_and_as_a_stream(ports: Ports) -> None:
    assert ports.blobs.put("tasks/1/input.json", b"[1,2]", content_type="application/json") == 5
    assert ports.blobs.get("tasks/1/input.json") == b"[1,2]"
    with ports.blobs.open("tasks/1/input.json") as blob:
        assert (blob.stream.read(2), blob.stream.read()) == (b"[1", b",2]")


def test_a_file_is_stored_with_its_type_and_size(ports: Ports, small_file: Path) -> None:
    assert ports.blobs.put("a", small_file, content_type="text/csv") == 5
    info = ports.blobs.info("a")
    assert (info.size_bytes, info.content_type, info.filename) == (5, "text/csv", "")


@mock_aws
def test_a_file_that_cannot_be_stored_whole_leaves_no_part_of_it(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(17 * 2**20))  # the SDK stores files over 8 MiB in parts
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="bucket")
    calls: list[str] = []
    client.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    client.meta.events.register_first("before-send.s3.UploadPart", refused)
    with pytest.raises(S3UploadFailedError):
        S3BlobStore(client, "bucket").put("tasks/1/large", large, content_type="text/csv")
    assert calls[-1] == "AbortMultipartUpload"
    assert "Uploads" not in client.list_multipart_uploads(Bucket="bucket")


def refused(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    """Answer a call as S3 does when a session has expired meanwhile."""
    raw = HTTPResponse(BytesIO(b"<Error><Code>ExpiredToken</Code></Error>"), preload_content=False)
    return AWSResponse(request.url, 400, {}, raw)


def test_a_missing_document_is_reported_as_missing(ports: Ports) -> None:
    with pytest.raises(BlobMissing):
        ports.blobs.get("none")
    with pytest.raises(BlobMissing):
        ports.blobs.info("none")
    with pytest.raises(BlobMissing), ports.blobs.open("none"):
        pass


def test_a_deleted_document_is_gone_and_deleting_it_again_is_no_error(ports: Ports) -> None:
    ports.blobs.put("a", b"1", content_type="text/csv")
    for _ in range(2):
        ports.blobs.delete("a")
        with pytest.raises(BlobMissing):
            ports.blobs.info("a")


def post(ports: Ports, content: bytes, **changed: str) -> httpx2.Response:
    form = ports.blobs.upload_form(
        "uploads/acme/1",
        filename="Zürich, orders.csv",
        content_type="text/csv",
        max_bytes=10,
        lifetime=MINUTE,
    )
    return httpx2.post(form.url, data=form.fields | changed, files={"file": ("x", content)})


def test_a_posted_form_stores_the_upload_with_its_name(on_ministack: Ports) -> None:
    assert post(on_ministack, b"id\n1\n").is_success
    info = on_ministack.blobs.info("uploads/acme/1")
    assert (info.filename, info.content_type) == ("Zürich, orders.csv", "text/csv")
    assert on_ministack.blobs.get("uploads/acme/1") == b"id\n1\n"


@pytest.mark.parametrize("name", GOOD_NAMES.values(), ids=GOOD_NAMES)
def test_a_name_that_is_allowed_is_kept_to_the_letter(on_moto: Ports, name: str) -> None:
    form = on_moto.blobs.upload_form(
        "uploads/acme/1", filename=name, content_type="text/csv", max_bytes=10, lifetime=MINUTE
    )
    kept = form.fields["x-amz-meta-filename"]
    assert (kept.isascii(), kept.isprintable(), kept) == (True, True, kept.strip())
    assert len("x-amz-meta-filename" + kept) <= METADATA_BYTES
    policy = json.loads(b64decode(form.fields["policy"]))
    assert {"x-amz-meta-filename": kept} in policy["conditions"]
    assert on_moto.clients is not None
    on_moto.clients.s3.put_object(
        Bucket=on_moto.blobs._bucket,  # type: ignore[attr-defined]
        Key="uploads/acme/1",
        Body=b"1",
        Metadata={"filename": kept},  # as S3 does with what is posted
    )
    assert on_moto.blobs.info("uploads/acme/1").filename == name


@pytest.mark.parametrize("name", GOOD_NAMES.values(), ids=GOOD_NAMES)
def test_a_download_is_told_its_name_in_a_legal_header(on_moto: Ports, name: str) -> None:
    on_moto.blobs.put(f"tasks/1/1/files/{name}", b"data", content_type="text/csv")
    url = on_moto.blobs.download_url(f"tasks/1/1/files/{name}", lifetime=MINUTE, filename=name)
    assert len(url) < URL_BYTES
    (disposition,) = parse_qs(urlsplit(url).query)["response-content-disposition"]
    assert (disposition.isascii(), disposition.isprintable()) == (True, True)
    kind, _, encoded = disposition.partition("; filename*=UTF-8''")
    assert (kind, unquote(encoded)) == ("attachment", name)
    assert on_moto.blobs.get(f"tasks/1/1/files/{name}") == b"data"


def test_a_form_refuses_more_than_its_size_another_type_or_another_key(on_ministack: Ports) -> None:
    assert post(on_ministack, b"12345678901").status_code == 400
    assert post(on_ministack, b"1", **{"Content-Type": "text/html"}).status_code == 403
    assert post(on_ministack, b"1", key="uploads/other/1").status_code == 403
    with pytest.raises(BlobMissing):
        on_ministack.blobs.info("uploads/other/1")


def test_a_download_url_reads_the_document_under_its_name(on_ministack: Ports) -> None:
    on_ministack.blobs.put("f", b"data", content_type="text/csv")
    url = on_ministack.blobs.download_url("f", lifetime=MINUTE, filename="ü.csv")
    answer = httpx2.get(url)
    assert (answer.status_code, answer.content) == (200, b"data")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%BC.csv"
