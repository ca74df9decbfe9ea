from tandem.ids import new_task_id
from tandem.limits import INLINE_BYTES
from tandem.tasks.payloads import Payloads
from tandem.tasks.task import InlinePayload, StoredPayload
from tandem.testing import FakeClock, MemoryBlobStore


def test_a_late_attempt_overwrites_no_other_attempts_output() -> None:
    clock = FakeClock()
    payloads = Payloads(MemoryBlobStore(clock))
    task_id, beside = new_task_id(clock.now()), InlinePayload("{}")
    first, second = b"1" * (INLINE_BYTES + 1), b"2" * (INLINE_BYTES + 1)
    kept = payloads.keep_output(task_id, 2, second, beside=beside)
    late = payloads.keep_output(task_id, 1, first, beside=beside)
    assert isinstance(kept, StoredPayload)
    assert isinstance(late, StoredPayload)
    assert payloads.read(kept) == second
    assert payloads.read(late) == first
