"""What sends closed windows to the sinks, each made on first use."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from tandem.telemetry import logger
from tandem.watching import Watching

if TYPE_CHECKING:
    from tandem.ports import ReportSink
    from tandem.processing.pool import BoundedPool
    from tandem.services.publish import Publishing


class Sending(Watching):
    """The sinks that are configured. Only ReportFunction asks for them, and pays for no other."""

    @cached_property
    def publishing(self) -> "Publishing":
        """Sends closed windows."""
        from tandem.services.publish import Publishing

        return Publishing(
            self.sinks,
            self.sink_store,
            self.report_store,
            self.clock,
            pool=self.sink_pool,
            logger=logger,
        )

    @cached_property
    def sink_pool(self) -> "BoundedPool":
        """A thread for each sink."""
        from tandem.processing.pool import BoundedPool

        return BoundedPool(len(self.sinks))

    @cached_property
    def sinks(self) -> "tuple[ReportSink, ...]":
        """To whom windows are sent: always the log, and whom the settings name."""
        return (self.cloudwatch_sink, *self._configured_sinks())

    @cached_property
    def cloudwatch_sink(self) -> "ReportSink":
        """The log, with or without metrics in it."""
        from tandem.cloudwatch import CloudWatchSink

        return CloudWatchSink(self.clock, metrics=self.settings.report_to_cloudwatch)

    def _configured_sinks(self) -> "Iterator[ReportSink]":
        settings = self.settings
        if settings.report_topic_arn:
            from tandem.services.sinks import TopicSink

            yield TopicSink(self.report_topic, stack=settings.stack_name)
        if settings.report_webhook_url:
            from tandem.services.sinks import WebhookSink

            yield WebhookSink(
                self.poster,
                self.secrets,
                self.clock,
                url=settings.report_webhook_url,
                secret=settings.need("report_webhook_secret"),
                stack=settings.stack_name,
            )
        if settings.otlp_endpoint:
            from tandem.services.sinks import OtlpSink

            yield OtlpSink(
                self.poster,
                self.secrets,
                endpoint=settings.otlp_endpoint,
                headers_secret=settings.otlp_headers_secret,
                stack=settings.stack_name,
                environment=settings.environment,
            )
