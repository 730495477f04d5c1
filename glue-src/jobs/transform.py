"""The Glue job `transform`: `--JOB_NAME`, `--pipeline_document s3://…`, `--extra-py-files s3://…/pipectl_glue-<sha>.zip`."""

import sys

from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext

from pipectl_glue import contract, transform_stage


def main() -> None:
    arguments = getResolvedOptions(sys.argv, ["JOB_NAME", contract.DOCUMENT_ARGUMENT])
    context = GlueContext(SparkContext.getOrCreate())
    job = Job(context)
    job.init(arguments["JOB_NAME"], arguments)
    transform_stage.run(context.spark_session, arguments[contract.DOCUMENT_ARGUMENT], arguments.get("JOB_RUN_ID") or "")
    job.commit()


if __name__ == "__main__":
    main()
