"""The canary's calls of Lambda and CodeDeploy."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tandem.canary.trial import CheckFailed

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationResponseTypeDef

LONGEST_ANSWER_SECONDS = 310
"""No function runs for longer: the report has 300 s, the worker is given next to nothing to do."""

WAITS_SECONDS = (1, 2, 4, 8, 15, 30)
"""Before a call is made again that Lambda had no room for: a minute in all."""

_REASON_CHARACTERS = 300


class LambdaFunctions:
    """Runs versions of functions."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

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
            CheckFailed: it ended with an error, or Lambda had no room for it.
        """
        answer = self._answer(version, json.dumps(event).encode())
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            said = f"{document.get('errorType')}: {document.get('errorMessage')}"
            raise CheckFailed(said[:_REASON_CHARACTERS])
        return document

    def _answer(self, version: str, payload: bytes) -> "InvocationResponseTypeDef":
        """Call a function until there is room for it: a throttled call was not made."""
        for wait in (0, *WAITS_SECONDS):
            self._sleep(wait)
            with suppress(self._client.exceptions.TooManyRequestsException):
                return self._client.invoke(FunctionName=version, Payload=payload)
        message = f"Lambda had no room for it for {sum(WAITS_SECONDS)} s"
        raise CheckFailed(message)


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
