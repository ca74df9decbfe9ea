from typing import Any

import pytest

from tandem.lambda_events import LambdaContextStub, http_event


@pytest.mark.parametrize(
    ("token_use", "status"),
    [("access", 200), (None, 200), ("id", 401), ("", 401), ("refresh", 401)],
)
def test_only_an_access_token_lets_a_caller_in(
    api: Any, token_use: str | None, status: int
) -> None:
    event = http_event("GET", "/tasks")
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    if token_use is None:
        del claims["token_use"]  # of another issuer than Cognito
    else:
        claims["token_use"] = token_use
    assert api.handler(event, LambdaContextStub())["statusCode"] == status
