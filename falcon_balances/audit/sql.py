"""Our texts in SQL, as DuckDB and Athena both read it."""


def text(value: str) -> str:
    """The value as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
