from typing import Any

import pytest

from tandem.files.capacity import Capacity, TooLarge
from tandem.limits import UPLOAD_BYTES
from tandem.processing.processor import AnyProcessor, Resources
from tandem.tasks.outcomes import NoRoomHere
from tests.factories.processors import double, make_processor

MIB = 1024 * 1024
CAPACITY = Capacity(
    api=Resources(memory_mib=1000, disk_mib=500, seconds=20),
    worker=Resources(memory_mib=2000, disk_mib=4000, seconds=40),
)


def taking(upload_mib: Any, **options: Any) -> AnyProcessor:
    processor: AnyProcessor = make_processor(double, upload_mib=upload_mib, **options)
    return processor


def memory(has: Resources) -> float:
    return has.memory_mib


def disk(has: Resources) -> float:
    return has.disk_mib


def seconds(has: Resources) -> float:
    return has.seconds


@pytest.mark.parametrize(
    ("declared", "options", "online", "offline"),
    [
        (None, {}, None, None),
        (None, {"online": "never"}, None, None),
        (0, {}, 0, 0),
        (7, {}, 7 * MIB, 7 * MIB),
        (0.5, {}, MIB // 2, MIB // 2),
        (memory, {}, 1000 * MIB, 2000 * MIB),
        (disk, {}, 500 * MIB, 4000 * MIB),
        (seconds, {}, 20 * MIB, 40 * MIB),
        (seconds, {"time_limit": 30}, 20 * MIB, 30 * MIB),
        (seconds, {"time_limit": 10}, 10 * MIB, 10 * MIB),
        (disk, {"online": "wait"}, 4000 * MIB, 4000 * MIB),
        (disk, {"online": "never"}, 0, 4000 * MIB),
        (lambda has: has.disk_mib - 600, {}, 0, 3400 * MIB),
    ],
)
def test_a_declaration_is_asked_for_each_function(
    declared: Any, options: dict[str, Any], online: int | None, offline: int | None
) -> None:
    work = taking(declared, **options)
    assert (CAPACITY.online(work), CAPACITY.offline(work)) == (online, offline)


@pytest.mark.parametrize(
    ("limit", "online", "in_api", "in_worker"),
    [
        (10, "promote", 10, 10),
        (30, "promote", 20, 30),
        (600, "promote", 20, 40),
        (600, "wait", None, 40),
        (10, "never", None, 10),
    ],
)
def test_a_time_limit_is_what_each_function_leaves_of_it(
    limit: float, online: str, in_api: float | None, in_worker: float
) -> None:
    work = taking(None, time_limit=limit, online=online)
    assert (CAPACITY.online_seconds(work), CAPACITY.offline_seconds(work)) == (in_api, in_worker)


@pytest.mark.parametrize(
    ("declared", "largest"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3, 2], 3 * MIB),
        ([disk, 3], 4000 * MIB),
        ([3, None], UPLOAD_BYTES),
        ([9000], UPLOAD_BYTES),
    ],
)
def test_the_largest_upload_is_what_any_processor_takes(declared: list[Any], largest: int) -> None:
    assert CAPACITY.largest_upload(map(taking, declared)) == largest


@pytest.mark.parametrize(
    ("declared", "in_api", "size_mib", "refused"),
    [
        (disk, True, 500, None),
        (disk, True, 501, NoRoomHere),
        (disk, True, 4000, NoRoomHere),
        (disk, True, 4001, TooLarge),
        (disk, False, 4000, None),
        (disk, False, 4001, TooLarge),
        (None, True, 9000, None),
        (0, True, 1, TooLarge),
        (lambda has: 9 if has.disk_mib == 500 else 3, True, 9, None),
        (lambda has: 9 if has.disk_mib == 500 else 3, False, 9, TooLarge),
    ],
)
def test_what_the_api_does_not_take_goes_to_the_worker_if_that_does(
    declared: Any, *, in_api: bool, size_mib: int, refused: type[Exception] | None
) -> None:
    def check() -> None:
        CAPACITY.check(taking(declared), size_mib * MIB, in_api=in_api)

    if refused is None:
        check()
    else:
        with pytest.raises(refused):
            check()
