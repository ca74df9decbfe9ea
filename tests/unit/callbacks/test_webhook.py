"""Signatures, against the published vector and against the reference implementation."""

import json
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tandem.callbacks.signing import key_text, signed_headers, tenant_key
from tandem.ids import TenantId

ACME, OTHER = TenantId("acme"), TenantId("other")


def test_the_published_example_is_signed_as_published() -> None:
    # From the reference libraries' own tests.
    headers = signed_headers(
        [b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("valid", [0, 1])
def test_a_receiver_that_has_either_key_verifies(valid: int) -> None:
    keys = [tenant_key("new", ACME), tenant_key("old", ACME)]
    body = json.dumps({"type": "task.succeeded"}).encode()
    headers = signed_headers(keys, message_id="1", at=datetime.now(UTC), body=body)
    assert Webhook(key_text(keys[valid])).verify(body, headers) == {"type": "task.succeeded"}
    with pytest.raises(WebhookVerificationError):
        Webhook(key_text(keys[valid])).verify(body + b" ", headers)


def test_no_tenant_can_sign_as_another_is_signed_for() -> None:
    headers = signed_headers(
        [tenant_key("secret", ACME)], message_id="1", at=datetime.now(UTC), body=b"{}"
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(key_text(tenant_key("secret", OTHER))).verify(b"{}", headers)
