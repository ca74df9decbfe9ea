"""What a caller names a file gets into headers of uploads and downloads only in a safe form."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.aws.s3 import S3BlobStore

PRINTABLE = re.compile(r"[\x20-\x7e]*")
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=100)
LIFETIME = timedelta(minutes=1)


@pytest.fixture(scope="module")
def store() -> S3BlobStore:
    """Presigning asks nobody."""
    client = boto3.client(
        "s3", aws_access_key_id="key", aws_secret_access_key="secret", region_name="eu-central-1"
    )
    return S3BlobStore(client, "bucket")


@given(name=NAMES)
def test_a_downloads_name_is_one_encoded_value_of_its_header(store: S3BlobStore, name: str) -> None:
    url = store.download_url("tasks/1/1/files/x", lifetime=LIFETIME, filename=name)
    assert PRINTABLE.fullmatch(url)
    [header] = parse_qs(urlsplit(url).query)["response-content-disposition"]
    kind, _, encoded = header.partition("; filename*=UTF-8''")
    assert kind == "attachment"
    assert re.fullmatch(r"[A-Za-z0-9._~%-]*", encoded)
    assert unquote(encoded) == name


@given(name=NAMES)
def test_an_uploads_name_is_one_encoded_value_of_its_header(store: S3BlobStore, name: str) -> None:
    form = store.upload_form(
        "uploads/a/1", filename=name, content_type="text/csv", max_bytes=1, lifetime=LIFETIME
    )
    kept = form.fields["x-amz-meta-filename"]
    assert PRINTABLE.fullmatch(kept)
    assert unquote(kept) == name
