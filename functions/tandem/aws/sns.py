"""Topics of Amazon SNS."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tandem.reports.ports import SinkFailed

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef


class SNSTopic:
    """Publishes to one topic."""

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(
        self, subject: str, texts: Mapping[str, str], attributes: Mapping[str, str | int]
    ) -> None:
        """Send one message, or raise SinkFailed."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.publish(
                TopicArn=self._arn,
                Subject=subject,
                Message=json.dumps(dict(texts)),
                MessageStructure="json",
                MessageAttributes={name: _attribute(value) for name, value in attributes.items()},
            )
        except ClientError as error:
            # Its message can name the caller and the topic, and need not be told to all readers.
            raise SinkFailed(f"SNS answered {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise SinkFailed(f"SNS cannot be reached: {type(error).__name__}") from None


def _attribute(value: str | int) -> "MessageAttributeValueTypeDef":
    kind = "Number" if isinstance(value, int) else "String"
    return {"DataType": kind, "StringValue": str(value)}
