"""The operations of the API that are for operators, one method each."""

from datetime import datetime

from tandem_client.connection import Connection
from tandem_client.models import (
    DeadQueue,
    LetterList,
    RedriveAnswer,
    RedriveRequest,
    ReportList,
    ReportView,
)


class OperatorOperations:
    """What only an operator's token may ask for."""

    _api: Connection

    def list_reports(
        self, *, before: datetime | None = None, limit: int | None = None
    ) -> ReportList:
        """Return closed report windows, newest first."""
        params = {"before": before.isoformat() if before else None, "limit": limit}
        return self._api.get("/reports", ReportList, params=params)

    def get_latest_report(self) -> ReportView:
        """Return the window that was closed last."""
        return self._api.get("/reports/latest", ReportView)

    def get_last_hour_picture(self) -> str:
        """Return a picture of the last hour, an SVG document."""
        headers = {"Accept": "image/svg+xml"}
        return self._api.send("GET", "/reports/latest.svg", headers=headers, repeatable=True).text

    def get_metrics(self) -> str:
        """Return the totals and levels in Prometheus' text format."""
        return self._api.send("GET", "/metrics", repeatable=True).text

    def list_dead_letters(
        self,
        *,
        queue: DeadQueue | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        reason: str | None = None,
        processor: str | None = None,
        tenant: str | None = None,
        own_fault: bool | None = None,
    ) -> LetterList:
        """Return failed tasks or callbacks, oldest first, and messages that were given up.

        Args:
            queue: of tasks, or of callbacks.
            limit: how many at most.
            cursor: the `next_cursor` of the page before. A page of some kind of letters can be
                short, or empty, and have a next one.
            reason: only letters with this reason.
            processor: only this processor's.
            tenant: only this tenant's.
            own_fault: only failed tasks of which the processor or the deployment is at fault, or
                only the others.
        """
        params = {
            "queue": DeadQueue(queue).value if queue else None,
            "limit": limit,
            "cursor": cursor,
            "reason": reason,
            "processor": processor,
            "tenant": tenant,
            "own_fault": None if own_fault is None else str(own_fault).lower(),
        }
        return self._api.get("/dead-letters", LetterList, params=params)

    def redrive_dead_letters(self, request: RedriveRequest) -> RedriveAnswer:
        """Do failed tasks again, or send callbacks again: a dry run unless `dry_run` is false."""
        return self._api.post("/dead-letters/redrive", RedriveAnswer, body=request)
