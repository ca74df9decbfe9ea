"""Sizes are those of the zip file that is deployed, and are bounded."""

import zipfile
from pathlib import Path

import pytest

from tandem_tools.build.sizes import (
    Size,
    measure,
    require_small,
    source_of,
    table,
    total,
    without_duckdb,
)
from tandem_tools.errors import ToolError

SIZES = {
    "duckdb": Size(60_000_000, 20_000_000),
    "fastapi": Size(2_000_000, 800_000),
    "six": Size(30_000, 8_000),
}


def test_the_sum_is_what_the_zip_file_has(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "api").mkdir(parents=True)
    (tree / "api" / "app.py").write_text("answer = 42\n" * 1000)
    (tree / "six.py").write_bytes(bytes(range(256)))
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as code:
        for path in (tree / "api" / "app.py", tree / "six.py"):
            code.write(path, path.relative_to(tree))

    sizes = measure(tree, lambda name: name.partition("/")[0])

    assert set(sizes) == {"api", "six.py"}
    assert total(sizes) == Size(12_256, archive.stat().st_size)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("api/app.py", "api/app.py"),
        ("api/__pycache__/app.cpython-313.pyc", "api/app.py"),
        ("__pycache__/six.cpython-313.pyc", "six.py"),
    ],
)
def test_a_compiled_module_belongs_to_its_source(name: str, source: str) -> None:
    assert source_of(name) == source


def test_an_artifact_that_is_too_large_is_refused_duckdb_aside() -> None:
    require_small(SIZES, 0.9)
    with pytest.raises(ToolError, match=r"has 0\.81 MB without DuckDB, and may have 0\.8"):
        require_small(SIZES, 0.8)


LAMBDA = 250 * 1024 * 1024


def test_code_that_lambda_does_not_take_is_refused_with_its_largest_parts() -> None:
    parts = {f"part{number}": Size(number * 1_000_000, 1) for number in range(1, 8)}
    rest = LAMBDA - total(parts).unpacked
    require_small(parts | {"rest": Size(rest, 1)}, None)
    with pytest.raises(ToolError) as told:
        require_small(parts | {"rest": Size(rest + 1_000_000, 1)}, None)
    assert "The code has 263.1 MB unpacked, and Lambda takes 262.1" in str(told.value)
    largest = "rest (235.1 MB), part7 (7.0 MB), part6 (6.0 MB), part5 (5.0 MB), part4 (4.0 MB)."
    assert str(told.value).endswith(f"Largest: {largest}")


def test_the_table_names_what_is_large_and_sums_up_the_rest() -> None:
    lines = table(SIZES, "arm64").splitlines()
    assert lines[2:5] == [
        "| duckdb | 60.00 | 20.00 |",
        "| fastapi | 2.00 | 0.80 |",
        "| 1 others | 0.03 | 0.01 |",
    ]
    assert lines[-1] == "| **all but DuckDB** | 2.03 | 0.81 |"
    assert without_duckdb(SIZES).zipped == 808_022
    own = {name: size for name, size in SIZES.items() if name != "duckdb"}
    assert table(own, "arm64").splitlines()[-1] == "| **all** | 2.03 | 0.81 |"
