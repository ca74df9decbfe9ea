"""What a quota says when DynamoDB refuses to count; nothing is sent."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tandem.aws.dynamodb_quotas import DynamoDBQuotaStore
from tandem.testing import FakeClock
from tandem_tools.harness.tasks import ACME
from tests.factories.refusals import Refused, client_of


def take(code: str) -> timedelta | None:
    def refuse(_: Any) -> Any:
        raise Refused(code)

    store = DynamoDBQuotaStore(client_of("dynamodb", refuse), "tasks")
    return store.take(ACME, 1, per_second=1, burst=10, now=FakeClock().now())


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
def test_a_tenant_that_asks_faster_than_can_be_counted_must_wait(code: str) -> None:
    assert take(code) == timedelta(seconds=1)


def test_another_refusal_is_none_of_the_tenants() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        take("AccessDeniedException")
