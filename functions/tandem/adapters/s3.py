"""The blob store on S3."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, unquote

from tandem.ports import BlobInfo, BlobMissing, UploadForm

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class S3BlobStore:
    """Keeps each document as one object."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, content: bytes | Path, *, content_type: str) -> int:
        """Store a document, from memory or from a file, and return its size in bytes."""
        if isinstance(content, Path):
            self._client.upload_file(
                str(content), self._bucket, key, ExtraArgs={"ContentType": content_type}
            )
            return content.stat().st_size
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=content, ContentType=content_type
        )
        return len(content)

    def get(self, key: str) -> bytes:
        """Return a document, or raise BlobMissing."""
        with self.open(key) as stream:
            return stream.read()

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Return a stream over a document, read as it arrives, or raise BlobMissing."""
        with self._missing():
            answer: GetObjectOutputTypeDef = self._client.get_object(Bucket=self._bucket, Key=key)
        with closing(answer["Body"]) as body:
            yield cast("BinaryIO", body)

    def info(self, key: str) -> BlobInfo:
        """Return what is known of a document, or raise BlobMissing."""
        with self._missing():
            head = self._client.head_object(Bucket=self._bucket, Key=key)
        return BlobInfo(
            key=key,
            size_bytes=head["ContentLength"],
            content_type=head["ContentType"],
            filename=unquote(head["Metadata"].get("filename", "")),
            etag=head["ETag"].strip('"'),
            stored_at=head["LastModified"],
        )

    def delete(self, key: str) -> None:
        """Delete a document; one that is not there is no error."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def upload_form(
        self, key: str, *, filename: str, content_type: str, max_bytes: int, lifetime: timedelta
    ) -> UploadForm:
        """Return a form that stores one document of that type and at most that size.

        S3 itself refuses what the signed policy does not allow:
        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        fixed = {"Content-Type": content_type, "x-amz-meta-filename": quote(filename, safe="")}
        form = self._client.generate_presigned_post(
            self._bucket,
            key,
            Fields=dict(fixed),
            Conditions=[
                *({name: value} for name, value in fixed.items()),
                ["content-length-range", 1, max_bytes],
            ],
            ExpiresIn=int(lifetime.total_seconds()),
        )
        return UploadForm(form["url"], form["fields"])

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        """Return a URL that reads the document without any other credential."""
        parameters: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        if filename:
            name = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
            parameters["ResponseContentDisposition"] = name
        return self._client.generate_presigned_url(
            "get_object", Params=parameters, ExpiresIn=int(lifetime.total_seconds())
        )

    @contextmanager
    def _missing(self) -> Iterator[None]:
        try:
            yield
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise BlobMissing from None
            raise
