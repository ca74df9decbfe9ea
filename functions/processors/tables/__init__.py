"""Tables: a profile, a query and a conversion of CSV, JSON Lines and Parquet, by DuckDB."""

__all__ = ["convert", "query", "summarize"]
