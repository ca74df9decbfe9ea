"""The blob store on S3."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, unquote, urlsplit

from tandem.files.blobs import BlobInfo, BlobMissing, OpenBlob, UploadForm

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


_DELETED_AT_ONCE = 1000
"""The most keys of one DeleteObjects."""


class NotDeleted(Exception):
    """S3 kept an object that was to be deleted. The message is its error code."""


class S3BlobStore:
    """Keeps each document as one object."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        *,
        session_ends_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._session_ends_at = session_ends_at

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
        with self.open(key) as blob:
            return blob.stream.read()

    @contextmanager
    def open(self, key: str) -> Iterator[OpenBlob]:
        """Return a stream over a document, with what is known of it, or raise BlobMissing."""
        with self._missing():
            answer: GetObjectOutputTypeDef = self._client.get_object(Bucket=self._bucket, Key=key)
        with closing(answer["Body"]) as body:
            yield OpenBlob(_info(key, answer), cast("BinaryIO", body))

    def info(self, key: str) -> BlobInfo:
        """Return what is known of a document, or raise BlobMissing."""
        with self._missing():
            head = self._client.head_object(Bucket=self._bucket, Key=key)
        return _info(key, head)

    def delete(self, key: str) -> None:
        """Delete a document. One that is not there is no error."""
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def delete_under(self, prefix: str, *, limit: int) -> bool:
        """Delete up to `limit` documents whose keys start so. Return whether none is left."""
        left = limit
        while left > 0:
            page = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, MaxKeys=min(left, _DELETED_AT_ONCE)
            )
            objects: list[Any] = [{"Key": stored["Key"]} for stored in page.get("Contents", [])]
            if objects:
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
                if errors := answer.get("Errors"):
                    raise NotDeleted(errors[0].get("Code"))
            if not page["IsTruncated"]:
                return True
            left -= len(objects)
        return False

    def copy(self, source: str, target: str) -> None:
        """Store a document under another key as well, or raise BlobMissing: S3 copies it."""
        with self._missing():
            self._client.copy_object(
                Bucket=self._bucket,
                Key=target,
                CopySource={"Bucket": self._bucket, "Key": source},
            )

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
        return UploadForm(form["url"], form["fields"], self._session_ends_at())

    def download_url(self, key: str, *, lifetime: timedelta, filename: str | None = None) -> str:
        """Return a URL that reads the document without any other credential."""
        parameters: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        if filename:
            name = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
            parameters["ResponseContentDisposition"] = name
        return self._client.generate_presigned_url(
            "get_object", Params=parameters, ExpiresIn=int(lifetime.total_seconds())
        )

    def origin(self) -> str:
        """Return the scheme and host of all forms and URLs, as a page's policy names them."""
        url = urlsplit(self.download_url("-", lifetime=timedelta(seconds=1)))
        return f"{url.scheme}://{url.netloc}"

    @contextmanager
    def _missing(self) -> Iterator[None]:
        try:
            yield
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise BlobMissing from None
            raise


def _info(key: str, answer: "GetObjectOutputTypeDef | HeadObjectOutputTypeDef") -> BlobInfo:
    """Return what S3 says of an object, be it with its content or without."""
    return BlobInfo(
        key=key,
        size_bytes=answer["ContentLength"],
        content_type=answer["ContentType"],
        filename=unquote(answer["Metadata"].get("filename", "")),
        etag=answer["ETag"].strip('"'),
        stored_at=answer["LastModified"],
    )
