"""Lambda's quota of concurrent executions: a new account has ten."""

from collections.abc import Mapping

from tandem_tools.deploy.aws import Account
from tandem_tools.errors import ToolError

OTHERS = 5
"""Executions beside those of the queues: three requests, a report, and the canary's own."""

LEAST = 2
"""The lowest maximum that a queue can have."""

LEFT_BY_READY = 100
"""What Lambda leaves to functions that keep nothing ready: with less, none may be kept.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""

MORE = (
    "aws service-quotas request-service-quota-increase --service-code lambda "
    "--quota-code L-B99A9384 --desired-value 1000"
)
"""Asks for what an account usually has: L-B99A9384 are concurrent executions."""


def require_room(account: Account, values: Mapping[str, str]) -> None:
    """Refuse settings that could use up what the account may run at once.

    The queues would take all of it under load: requests and the report would be throttled, and the
    canary would refuse the release.

    Raises:
        ToolError: there is no room. The advice has settings that fit, if there are any.
    """
    limits = account.functions.get_account_settings()["AccountLimit"]
    quota = limits["UnreservedConcurrentExecutions"]
    if (ready := _kept_ready(values)) and quota - ready < LEFT_BY_READY:
        raise ToolError(
            f"Lambda runs {quota} executions at once for this account, and keeps environments "
            f"ready where {LEFT_BY_READY} are left: it would refuse "
            f"ApiProvisionedConcurrency={ready}.",
            f"Take ApiProvisionedConcurrency=0. Or ask AWS for more: {MORE}",
        )
    fitting = fit(quota, values)
    if fitting == _queues(values):
        return
    worker, callbacks = _queues(values)
    advice = f"Ask AWS for more: {MORE}"
    if fitting is not None:
        settings = f"WorkerMaximumConcurrency={fitting[0]} CallbackMaximumConcurrency={fitting[1]}"
        advice = f'Take what fits: PARAMETERS="{settings}". Or ask AWS for more: {MORE}'
    raise ToolError(
        f"Lambda runs {quota} executions at once for this account. The queues could take "
        f"{worker + callbacks} of them, {ready} are kept ready, and requests, the "
        f"report and the canary need {OTHERS} beside them.",
        advice,
    )


def fit(quota: int, values: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the maxima of both queues that leave room beside them, not above those given.

    Args:
        quota: how many executions the account may run at once.
        values: the template's parameters.

    Returns:
        Those of the worker's and of the callbacks' queue. None when even the lowest do not fit.
    """
    worker, callbacks = _queues(values)
    ready = _kept_ready(values)
    room = quota - OTHERS - ready
    if room < 2 * LEAST or (ready and quota - ready < LEFT_BY_READY):
        return None
    worker = min(worker, room - LEAST)
    return worker, min(callbacks, room - worker)


def _queues(values: Mapping[str, str]) -> tuple[int, int]:
    return int(values["WorkerMaximumConcurrency"]), int(values["CallbackMaximumConcurrency"])


def _kept_ready(values: Mapping[str, str]) -> int:
    return int(values["ApiProvisionedConcurrency"])
