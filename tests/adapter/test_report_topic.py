"""The topic of reports: what its subscribers get, and how it fails."""

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from moto import mock_aws

from tandem.aws.sns import SNSTopic
from tandem.reports.ports import SinkFailed
from tests.adapter.conftest import REGION

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("sns", region_name=REGION)


def test_a_subscriber_gets_the_text_of_its_protocol_and_the_attributes(sns: "SNSClient") -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="reports")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = sns.create_topic(Name="reports")["TopicArn"]
    endpoint = attributes["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=endpoint)
    texts = {"default": '{"window":1}', "email": "One task ended."}
    SNSTopic(sns, arn).publish("One task", texts, {"window": "2026-01-01T12:00Z", "failed": 3})
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    notice = json.loads(message["Body"])
    assert (notice["Subject"], notice["Message"]) == ("One task", '{"window":1}')
    assert notice["MessageAttributes"] == {
        "window": {"Type": "String", "Value": "2026-01-01T12:00Z"},
        "failed": {"Type": "Number", "Value": "3"},
    }


def test_a_refusal_says_its_code_and_nothing_else(sns: "SNSClient") -> None:
    topic = SNSTopic(sns, f"arn:aws:sns:{REGION}:123456789012:nowhere")
    with pytest.raises(SinkFailed, match=r"^SNS answered NotFound"):
        topic.publish("s", {"default": "{}"}, {})


def test_an_endpoint_that_does_not_answer_says_so(
    sns: "SNSClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://sns.example.com/secret")

    monkeypatch.setattr(sns, "publish", nobody)
    with pytest.raises(SinkFailed, match=r"^SNS cannot be reached: ConnectTimeoutError$"):
        SNSTopic(sns, "arn").publish("s", {"default": "{}"}, {})
