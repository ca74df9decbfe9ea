"""What the bench of the table processors says of its figures."""

from typing import Any

from tandem_tools.bench import tables


def row(work: str, file: str, *, ratio: float = 1.0, size: int = 300, refused: str = "") -> Any:
    took = {"cpu_seconds": 2.0, "megabytes": 400}
    return {
        "work": work, "file": file, "csv_megabytes": size, "table_rows": 3_000_000,
        "duckdb": took, "tandem": took, "refused": refused, "ratio": ratio,
    }  # fmt: skip


def test_each_piece_of_work_has_its_own_bar():
    result = {"rows": [row(work, file, ratio=1.5) for work, file, *_ in tables.WORK]}
    met = {bar.figure.partition(":")[0]: bar.met for bar in tables.bars(result)}
    assert met == {
        "profile, 300 MB csv": True,
        "profile, 300 MB parquet": True,
        "convert to Parquet, 300 MB csv": False,
        "convert to JSON Lines, 300 MB csv": False,
        "convert to CSV, 300 MB parquet": False,
        "query, 300 MB csv": True,
        "query, 300 MB parquet": True,
    }


def test_bars_are_for_one_size():
    result = {"rows": [row("query", "csv", ratio=9.0, size=size) for size in (30, 300, 1200)]}
    assert len(tables.bars(result)) == 1


def test_a_refusal_misses_its_bar_and_is_shown():
    result = {"rows": [row("query", "csv", refused="the table takes longer than 90 s")]}
    assert "| the table takes longer than 90 s |  |" in tables.table(result)
    assert [(bar.measured, bar.met) for bar in tables.bars(result)] == [("refused", False)]


def test_a_query_may_take_the_time_of_its_own_process(monkeypatch):
    took = {"duckdb": 0.2, "tandem": 1.0}
    monkeypatch.setattr(
        tables,
        "_in_own_process",
        lambda by, *_: {"outcome": "", "cpu_seconds": took[by], "megabytes": 100},
    )
    assert tables._both("query", None)["ratio"] == 2.0
    assert tables._both("profile", None)["ratio"] == 5.0
