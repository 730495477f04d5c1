"""Prints the rows of Iceberg tables as their files have them, without the catalog: what any other engine would read.

Usage: rows.py FOLDER_OF_THE_RUNNER MOUNTS METADATA_LOCATION…
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

import local_spark


def rows(session: Any, location: str) -> list[str]:
    iceberg = session._jvm.org.apache.iceberg
    files = iceberg.hadoop.HadoopFileIO(session.sparkContext._jsc.hadoopConfiguration())
    table = iceberg.BaseTable(iceberg.StaticTableOperations(location, files), "table")
    tasks, paths = table.newScan().planFiles().iterator(), []
    while tasks.hasNext():
        task = tasks.next()
        assert task.deletes().isEmpty(), "a file of deletions would have to be read too"
        paths.append(task.file().location())
    return sorted(session.read.parquet(*paths).toJSON().collect()) if paths else []


def main() -> None:
    mounts, locations = json.loads(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryDirectory() as work:
        session = local_spark.start(mounts, Path(work), [])
        session.conf.set("spark.sql.session.timeZone", "UTC")
        for location in locations:
            print("\n".join(rows(session, location)))
        local_spark.stop(session)


if __name__ == "__main__":
    main()
