"""What `checksum-files` computes, and how it spreads the work."""

import hashlib
import time
from threading import Barrier, get_ident

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.checksum_files import CHUNK_BYTES, Input, block_chunk, checksum_files
from tandem.processing import Permanent
from tandem.processing.context import Abandoned
from tandem.testing import FakeContext, MemoryWiring
from tests.unit.processors.sizes_page import sizes_on_the_page

MIB = 1 << 20


def test_uploads_match_hashlib_in_the_inputs_order():
    contents = {f"u{n}": bytes([n]) * (n * 700_001) for n in range(6)}
    context = FakeContext(uploads={name: ("f.bin", data) for name, data in contents.items()})
    output = checksum_files.run(Input(uploads=list(contents)), context)
    assert [(one.name, one.sha256, one.size_bytes) for one in output.files] == [
        (name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in contents.items()
    ]
    assert output.total_bytes == sum(map(len, contents.values()))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=8), st.integers(1, 4))
def test_any_contents_match_hashlib(contents, threads):
    uploads = {str(n): ("f", data) for n, data in enumerate(contents)}
    output = checksum_files.run(
        Input(uploads=list(uploads)), FakeContext(uploads=uploads, threads=threads)
    )
    assert [one.sha256 for one in output.files] == [
        hashlib.sha256(data).hexdigest() for data in contents
    ]


def test_blocks_are_the_same_every_time_and_different_from_each_other():
    first, second = (
        checksum_files.run(Input(blocks=5, block_mb=2), FakeContext(threads=threads))
        for threads in (1, 4)
    )
    assert first.files == second.files
    assert len({one.sha256 for one in first.files}) == 5
    assert [one.name for one in first.files] == [f"block-{n}" for n in range(5)]
    assert first.files[3].sha256 == hashlib.sha256(block_chunk(3) * 2).hexdigest()
    assert first.total_bytes == 10 * MIB


def test_a_blocks_content_is_pinned():
    # Benchmarks compare runs by it.
    assert len(block_chunk(0)) == CHUNK_BYTES
    assert hashlib.sha256(block_chunk(0)).hexdigest() == PINNED


PINNED = "137b312a6751a771c5a6233e2b80b5b4d0dc11eaf73f6d95f41a693ad735759d"


def test_threads_that_worked_are_counted():
    context = FakeContext(uploads={str(n): ("f", b"x") for n in range(3)}, threads=3)
    together, opened, seen = Barrier(3, timeout=20), context.open_upload, set()

    def open_together(upload_id):
        seen.add(get_ident())
        together.wait()  # passes only when three threads are at work at once
        return opened(upload_id)

    context.open_upload = open_together
    output = checksum_files.run(Input(uploads=["0", "1", "2"]), context)
    assert output.threads_used == len(seen) == 3


def test_one_thread_works_alone_and_gains_nothing():
    output = checksum_files.run(Input(blocks=8, block_mb=4), FakeContext(threads=1))
    assert output.threads_used == 1
    assert 0 < output.speed_up <= 1.05


def test_waiting_is_not_counted_as_speed_up():
    context = FakeContext(uploads={str(n): ("f", b"x") for n in range(8)}, threads=4)
    opened = context.open_upload

    def open_slowly(upload_id):
        time.sleep(0.02)
        return opened(upload_id)

    context.open_upload = open_slowly
    output = checksum_files.run(Input(uploads=list("01234567")), context)
    assert output.elapsed_seconds >= 0.02
    assert output.speed_up < 1


def test_progress_rises_by_one_to_the_total():
    context = FakeContext(threads=4)
    record = context.progress

    def record_slowly_at_first(done, total=None, message=""):
        time.sleep(0.02 if done < 4 else 0)  # lets another thread overtake, if it can
        record(done, total, message)

    context.progress = record_slowly_at_first
    checksum_files.run(Input(blocks=40, block_mb=1), context)
    assert [(done, total) for done, total, _ in context.progressed] == [
        (n, 40) for n in range(1, 41)
    ]


def test_a_cancelled_attempt_stops_between_chunks():
    context, asked = FakeContext(threads=1), []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 3

    context.cancelled = cancelled
    with pytest.raises(Abandoned):
        checksum_files.run(Input(blocks=1, block_mb=64), context)
    assert len(asked) == 4


def test_an_unknown_upload_is_permanent():
    with pytest.raises(Permanent, match="no upload"):
        checksum_files.run(Input(uploads=["none"]), FakeContext())


@pytest.mark.parametrize(
    ("given_input", "reason"),
    [
        ({}, "give either uploads or blocks"),
        ({"uploads": ["u"], "blocks": 1}, "give either uploads or blocks"),
        ({"uploads": ["u"], "block_mb": 1}, "block_mb goes with blocks"),
        ({"block_mb": 1}, "give either uploads or blocks"),
        ({"uploads": []}, "at least 1 item"),
        ({"uploads": ["u"] * 1001}, "at most 1000 items"),
        ({"blocks": 0}, "greater than or equal to 1"),
        ({"blocks": 1025}, "less than or equal to 1024"),
        ({"blocks": 1, "block_mb": 65}, "less than or equal to 64"),
        ({"blocks": 1024, "block_mb": 5}, "must be at most 4096"),
        ({"blocks": 1, "size": 1}, "Extra inputs"),
    ],
)
def test_input_says_what_is_wrong(given_input, reason):
    with pytest.raises(ValidationError, match=reason):
        Input.model_validate(given_input)


def test_the_largest_input_is_allowed():
    assert Input(blocks=1024, block_mb=4).blocks == 1024


def test_it_takes_what_it_reads_in_its_time_and_the_page_on_sizes_says_so():
    capacity = MemoryWiring().capacity
    online, offline = capacity.online(checksum_files), capacity.offline(checksum_files)
    assert (online, offline) == (20 * 64 * MIB, 100 * 64 * MIB)
    assert all(f" {size // MIB} " in sizes_on_the_page() for size in (online, offline))
