"""What nobody allowed."""

import os

import boto3
from pydantic import BaseModel

from tandem.processing import Retry, TaskContext, processor


class Input(BaseModel):
    pass


class Output(BaseModel):
    pass


@processor("drop-archive", retry=Retry(attempts=1))
def drop_archive(data: Input, ctx: TaskContext) -> Output:
    """Delete an order of the archive."""
    boto3.client("s3").delete_object(Bucket=os.environ["ARCHIVE_BUCKET"], Key="4711.txt")
    return Output()
