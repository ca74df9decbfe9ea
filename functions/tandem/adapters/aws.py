"""AWS clients, made on first use: each costs a function's start-up more than all of its imports."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@cache
def dynamodb() -> "DynamoDBClient":
    """Return this process's DynamoDB client."""
    import boto3

    return boto3.client("dynamodb", config=_config())


@cache
def sqs() -> "SQSClient":
    """Return this process's SQS client."""
    import boto3

    return boto3.client("sqs", config=_config())


@cache
def s3() -> "S3Client":
    """Return this process's S3 client; its signed URLs name the bucket's own region."""
    import boto3

    return boto3.client("s3", config=_config(signature_version="s3v4"))


@cache
def secrets_manager() -> "SecretsManagerClient":
    """Return this process's Secrets Manager client."""
    import boto3

    return boto3.client("secretsmanager", config=_config())


@cache
def sns() -> "SNSClient":
    """Return this process's SNS client; what it fails at, the next run tries again."""
    import boto3

    retries = {"mode": "standard", "max_attempts": 2}
    return boto3.client("sns", config=_config(read_timeout=5, retries=retries))


def _config(**more: Any) -> "Config":
    from botocore.config import Config

    usual: dict[str, Any] = {
        "connect_timeout": 2,
        "read_timeout": 10,
        "retries": {"mode": "standard", "max_attempts": 4},
        "max_pool_connections": 64,
    }
    return Config(**usual | more)
