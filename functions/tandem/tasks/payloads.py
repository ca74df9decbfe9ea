"""Inputs and outputs: small ones lie with the task, large ones in the blob store."""

from tandem.files.blobs import BlobStore, task_prefix
from tandem.ids import TaskId
from tandem.limits import INLINE_BYTES
from tandem.tasks.task import InlinePayload, Payload, StoredPayload

_ITEM_BYTES = 340 * 1024
"""What input and output may take of a task together, of DynamoDB's 400 KB for one item: its
history, errors, URL and identifiers take 55 KB at the most."""


class Payloads:
    """Keeps JSON documents where they fit."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def keep_input(self, task_id: TaskId, document: bytes) -> Payload:
        """Keep a task's input."""
        return self._keep(task_id, "input.json", document, INLINE_BYTES)

    def keep_output(
        self, task_id: TaskId, attempt: int, document: bytes, *, beside: Payload
    ) -> Payload:
        """Keep an attempt's output, in the room that the task's input leaves.

        Each attempt has a place of its own, so that a late one never overwrites another's.
        """
        taken = len(beside.text.encode()) if isinstance(beside, InlinePayload) else 0
        room = min(INLINE_BYTES, _ITEM_BYTES - taken)
        return self._keep(task_id, f"{attempt}/output.json", document, room)

    def copied(self, task_id: TaskId, payload: Payload) -> Payload:
        """Return another task's document, or file, as one of this task's own.

        Raises:
            BlobMissing: the other task's is gone.
        """
        return self.copied_file(task_id, payload) if isinstance(payload, StoredPayload) else payload

    def copied_file(self, task_id: TaskId, file: StoredPayload) -> StoredPayload:
        """Return another task's file as one of this task's own, at the same place under its id.

        Raises:
            BlobMissing: the other task's is gone.
        """
        _, _, place = file.key.split("/", 2)
        key = task_prefix(task_id) + place
        self._blobs.copy(file.key, key)
        return StoredPayload(key, file.size_bytes)

    def read(self, payload: Payload) -> bytes:
        """Return the document."""
        if isinstance(payload, InlinePayload):
            return payload.text.encode()
        return self._blobs.get(payload.key)

    def _keep(self, task_id: TaskId, place: str, document: bytes, room: int) -> Payload:
        if len(document) <= room:
            return InlinePayload(document.decode())
        key = task_prefix(task_id) + place
        size = self._blobs.put(key, document, content_type="application/json")
        return StoredPayload(key, size)
