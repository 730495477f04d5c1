"""The Glue job `ingest`: `--JOB_NAME`, `--pipeline_document s3://…`, `--source NAME`; `--restart TABLE,…` by hand."""

import sys

from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext

from pipectl_glue import contract, ingest


def main() -> None:
    optional = [name for name in ("restart",) if f"--{name}" in sys.argv]
    arguments = getResolvedOptions(
        sys.argv, ["JOB_NAME", contract.DOCUMENT_ARGUMENT, contract.SOURCE_ARGUMENT, *optional]
    )
    context = GlueContext(SparkContext.getOrCreate())
    job = Job(context)
    job.init(arguments["JOB_NAME"], arguments)
    restart = frozenset(filter(None, arguments.get("restart", "").split(",")))
    run = arguments.get("JOB_RUN_ID") or ""
    ingest.run(
        context.spark_session, arguments[contract.DOCUMENT_ARGUMENT], arguments[contract.SOURCE_ARGUMENT], run, restart
    )
    job.commit()


if __name__ == "__main__":
    main()
