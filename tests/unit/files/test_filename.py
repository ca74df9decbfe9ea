from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.files.filename import InvalidFilename, check_filename, saved_name
from tests.factories.filenames import BAD_NAMES, GOOD_NAMES

METADATA_BYTES = 2048


@pytest.mark.parametrize("name", GOOD_NAMES.values(), ids=GOOD_NAMES)
def test_a_name_that_can_be_kept_is_kept_as_it_is(name: str) -> None:
    assert check_filename(name) == saved_name(name) == name


@pytest.mark.parametrize(
    "name", [*BAD_NAMES.values(), "\ud800", "a\udfff.csv"], ids=lambda name: ascii(name)[:30]
)
def test_a_name_that_cannot_be_kept_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(InvalidFilename, match=r"^a file name must ") as refused:
        check_filename(name)
    assert str(refused.value).isascii()


@given(st.text(max_size=300))
def test_whatever_is_taken_fits_into_metadata_a_key_and_a_header(name: str) -> None:
    try:
        check_filename(name)
    except InvalidFilename:
        return
    assert len("x-amz-meta-filename" + quote(name, safe="")) <= METADATA_BYTES
    assert len(f"tasks/{'x' * 36}/8/files/{name}".encode()) <= 1024
    assert not set(name) & set("/\\\x00\r\n")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("out/table.csv", "table.csv"),
        ("/tmp/x/table.csv", "table.csv"),
        ("C:\\work\\table.csv", "table.csv"),
        ("table.csv/", "table.csv"),
        ("../../table.csv", "table.csv"),
        ("", "result"),
        ("/", "result"),
        ("\\\\", "result"),
    ],
)
def test_a_saved_file_has_the_last_part_of_its_path_for_a_name(path: str, name: str) -> None:
    assert saved_name(path) == name


@pytest.mark.parametrize("path", ["..", "a/..", "a/.", "x/\x00", "a/\ud800", "a\\" + "x" * 256])
def test_a_saved_file_has_no_name_that_cannot_be_kept(path: str) -> None:
    with pytest.raises(InvalidFilename):
        saved_name(path)
