"""What the canary asks of AWS: to run a version of a function, and CodeDeploy to go on or not."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from canary.trial import CheckFailed

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

LONGEST_ANSWER_SECONDS = 310
"""No function runs for longer: the report has 300 s, the worker is given next to nothing to do."""

_REASON_CHARACTERS = 300


class LambdaFunctions:
    """Runs versions of functions."""

    @cached_property
    def _client(self) -> "LambdaClient":
        import boto3
        from botocore.config import Config

        # One attempt: a second one would be a second request, and the first may still run.
        config = Config(
            connect_timeout=5,
            read_timeout=LONGEST_ANSWER_SECONDS,
            retries={"total_max_attempts": 1},
        )
        return boto3.client("lambda", config=config)

    def invoke(self, version: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a function answers.

        Args:
            version: the qualified ARN of the version.
            event: what it is called with.

        Raises:
            CheckFailed: it ended with an error.
        """
        answer = self._client.invoke(FunctionName=version, Payload=json.dumps(event).encode())
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            said = f"{document.get('errorType')}: {document.get('errorMessage')}"
            raise CheckFailed(said[:_REASON_CHARACTERS])
        return document


def tell_codedeploy(event: Mapping[str, Any], *, passed: bool) -> None:
    """Tell the deployment that the event names whether traffic may move to the new version.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_PutLifecycleEventHookExecutionStatus.html
    """
    import boto3

    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded" if passed else "Failed",
    )
