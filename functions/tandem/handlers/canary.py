"""The handler of CanaryFunction: CodeDeploy's hook before a new version gets traffic."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tandem.canary.aws import LambdaFunctions, tell_codedeploy
from tandem.canary.trial import Trial
from tandem.clock import SystemClock
from tandem.settings import settings
from tandem.telemetry import logger


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Try the release, tell CodeDeploy whether it may have traffic, and return what was found.

    An event without a deployment comes from someone who tries the release by hand: nobody is told.
    """
    found = Trial(LambdaFunctions(), settings(), SystemClock()).verdict()
    if found.passed:
        logger.info("release tried", checks=found.passed_checks)
    else:
        logger.error("release refused", check=found.failed_check, reason=found.reason)
    if "DeploymentId" in event:
        tell_codedeploy(event, passed=found.passed)
    return found.document()
