"""Clients of the emulator's AWS, in the account that owns the stack."""

from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


def owner() -> boto3.Session:
    """Return a new session of the account that owns the stack."""
    return boto3.Session(
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
    )


class Aws:
    """The emulator's services, each made when it is first asked for."""

    def __init__(self, endpoint_url: str, session: boto3.Session | None = None) -> None:
        """Name the emulator to talk to, and the session of its account, for who has one already."""
        self.endpoint_url = endpoint_url
        self._session = session or owner()

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """CloudFormation."""
        return self._session.client("cloudformation", endpoint_url=self.endpoint_url)

    @cached_property
    def cognito(self) -> "CognitoIdentityProviderClient":
        """Cognito user pools."""
        return self._session.client("cognito-idp", endpoint_url=self.endpoint_url)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB."""
        client = self._session.client("dynamodb", endpoint_url=self.endpoint_url)
        # Made at their first use, with no lock: each of two threads may get classes of its own.
        _ = client.exceptions
        return client

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda."""
        return self._session.client("lambda", endpoint_url=self.endpoint_url)

    @cached_property
    def http_apis(self) -> "ApiGatewayV2Client":
        """API Gateway's HTTP APIs."""
        return self._session.client("apigatewayv2", endpoint_url=self.endpoint_url)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs."""
        return self._session.client("logs", endpoint_url=self.endpoint_url)

    @cached_property
    def s3(self) -> "S3Client":
        """S3."""
        # Version 4 signatures, as the functions make them: the emulator checks no others. Sums over
        # the content, which it does not look at, are a third of the time that code is on its way.
        config = Config(
            signature_version="s3v4",
            s3={"payload_signing_enabled": False},
            request_checksum_calculation="when_required",
        )
        return self._session.client("s3", endpoint_url=self.endpoint_url, config=config)

    @cached_property
    def secrets_manager(self) -> "SecretsManagerClient":
        """Secrets Manager."""
        return self._session.client("secretsmanager", endpoint_url=self.endpoint_url)

    @cached_property
    def sns(self) -> "SNSClient":
        """SNS."""
        return self._session.client("sns", endpoint_url=self.endpoint_url)

    @cached_property
    def sqs(self) -> "SQSClient":
        """SQS."""
        return self._session.client("sqs", endpoint_url=self.endpoint_url)
