"""The services that tell the owners of tasks that these have ended, each made on first use."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from tandem.sending import Sending
from tandem.telemetry import logger

if TYPE_CHECKING:
    from tandem.services.callback_deliveries import CallbackDeliveries
    from tandem.services.callback_letters import CallbackLetters
    from tandem.services.callbacks import Callbacks
    from tandem.services.webhook_keys import WebhookKeys


class Notifying(Sending):
    """Who is told, with which key, and what was given up."""

    @cached_property
    def callbacks(self) -> "Callbacks":
        """Gives the callbacks of tasks that ended to their queue."""
        from tandem.services.callbacks import Callbacks

        return Callbacks(
            self.callback_store, self.callback_queue, self.clock, pool=self.pool, logger=logger
        )

    @cached_property
    def callback_deliveries(self) -> "CallbackDeliveries":
        """Sends callbacks."""
        from tandem.domain.redelivery import Redelivery
        from tandem.services.callback_deliveries import CallbackDeliveries

        waits = self.settings.callback_retry_seconds
        return CallbackDeliveries(
            self.store,
            self.callback_store,
            self.callback_inbox,
            self.callback_sender,
            self.webhook_keys,
            clock=self.clock,
            redelivery=Redelivery(tuple(timedelta(seconds=wait) for wait in waits)),
            allowed=self.settings.callback_allowed_networks,
            logger=logger,
        )

    @cached_property
    def webhook_keys(self) -> "WebhookKeys":
        """What callbacks are signed with."""
        from tandem.services.webhook_keys import WebhookKeys

        return WebhookKeys(self.secrets, self.settings.need("callback_secret"))

    @cached_property
    def callback_letters(self) -> "CallbackLetters":
        """Shows and redrives callbacks that were given up."""
        from tandem.services.callback_letters import CallbackLetters

        return CallbackLetters(
            self.callback_dead_letter_box,
            self.store,
            self.callback_store,
            self.callbacks,
            logger=logger,
        )
