"""Athena's part in making closed days, played by DuckDB over moto's S3.

DuckDB reads what the tables of the template would: the objects that lists name, and files below a
folder. It is not Athena: what only Athena can refuse is not refused here.
"""

import re
from pathlib import Path
from typing import Any

import duckdb

from falcon_balances.adapters.aws import client
from falcon_balances.audit.duckdb_session import files, session
from falcon_balances.audit.sql import text
from falcon_balances.contracts.athena_sql import PAGES_OF_A_RUN, ROWS_OF_A_RUN
from falcon_balances.contracts.closed_day_query import PAGE_COLUMNS, ROW_COLUMNS, STAND_INS

UNLOAD = re.compile(
    r"unload \((?P<select>.+)\) to 's3://(?P<bucket>[^/]+)/(?P<prefix>.+/)' with \(.+\)", re.S
)
LIST = "objects.txt"


class Athena:
    def __init__(self, folder: Path, bucket: str, database: str) -> None:
        self._folder = folder
        self._bucket = bucket
        self._database = database
        self.unloads = 0

    def unload(self, query: str) -> None:
        """Fails where something lies already, as Athena does."""
        said = UNLOAD.fullmatch(query)
        assert said
        assert said["bucket"] == self._bucket
        assert self.keys(said["prefix"]) == []
        with session() as engine:
            self._make_tables(engine)
            self.unloads += 1
            path = self._folder / f"made-{self.unloads}"
            engine.execute(f"copy ({said['select']}) to {text(str(path))} (format parquet)")
        key = f"{said['prefix']}20261121_023000_{self.unloads:05}_file"
        client("s3").put_object(Bucket=self._bucket, Key=key, Body=path.read_bytes())

    def count(self, query: str) -> list[str]:
        return [str(each) for each in self.rows(query)[0]]

    def published(self, columns: str) -> list[Any]:
        return self.rows(f"select {columns} from {self._database}.closed_days")  # noqa: S608

    def rows(self, query: str) -> list[Any]:
        with session() as engine:
            self._make_tables(engine)
            return engine.execute(query).fetchall()

    def keys(self, prefix: str) -> list[str]:
        found = client("s3").list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def _make_tables(self, engine: duckdb.DuckDBPyConnection) -> None:
        for macro in STAND_INS:
            engine.execute(macro)
        engine.execute(f"create schema {self._database}")
        pages = ", ".join(f"{text(name)}: 'VARCHAR'" for name in PAGE_COLUMNS)
        selects = [
            f'select *, {text(day)} as "date", {text(run)} as run from (select *, filename as '  # noqa: S608
            f'"$path" from read_json({files(self._fetched(addresses))}, filename = true, '
            f"format = 'newline_delimited', auto_detect = false, columns = {{{pages}}}))"
            for day, run, addresses in self._lists("pages/")
            if addresses
        ]
        self._view(engine, PAGES_OF_A_RUN, selects)
        found: dict[tuple[str, str], list[str]] = {}
        for key in self.keys("closed/"):
            _, day, run, _ = (each.rpartition("=")[2] for each in key.split("/"))
            found.setdefault((day, run), []).append(f"s3://{self._bucket}/{key}")
        self._view(
            engine, ROWS_OF_A_RUN, [self._parquet(*each, some) for each, some in found.items()]
        )
        published = [self._parquet(*each) for each in self._lists("published/")]
        self._view(engine, "closed_days", published)

    def _view(self, engine: duckdb.DuckDBPyConnection, name: str, selects: list[str]) -> None:
        if selects:
            engine.execute(f"create view {self._database}.{name} as {' union all '.join(selects)}")

    def _parquet(self, day: str, run: str, addresses: list[str]) -> str:
        return (
            f'select {", ".join(ROW_COLUMNS)}, {text(day)} as "date", {text(run)} as run '  # noqa: S608
            f"from read_parquet({files(self._fetched(addresses))}, hive_partitioning = false)"
        )

    def _lists(self, prefix: str) -> list[tuple[str, str, list[str]]]:
        """Day, run and addresses of every list."""
        found = []
        for key in self.keys(prefix):
            assert key.endswith(f"/{LIST}")
            body = client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
            _, day, *run, _ = (each.rpartition("=")[2] for each in key.split("/"))
            found.append((day, "".join(run), body.splitlines()))
        return found

    def _fetched(self, addresses: list[str]) -> list[Path]:
        paths = []
        for address in addresses:
            bucket, _, key = address.removeprefix("s3://").partition("/")
            path = self._folder / bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
            paths.append(path)
        return paths
