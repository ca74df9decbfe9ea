"""The keys that callbacks are signed with."""

from tandem.domain.ids import TenantId
from tandem.domain.webhook import tenant_key
from tandem.ports import SecretStore


class WebhookKeys:
    """A tenant's keys, derived from one secret: a rotation of it changes everyone's."""

    def __init__(self, secrets: SecretStore, secret_name: str) -> None:
        self._secrets = secrets
        self._secret_name = secret_name

    def of(self, tenant: TenantId) -> list[bytes]:
        """Return a tenant's current key, and the one before it where the secret was rotated.

        Raises:
            SecretsError: the secret cannot be read.
        """
        return [tenant_key(secret, tenant) for secret in self._secrets.versions(self._secret_name)]
