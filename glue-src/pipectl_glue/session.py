"""The settings that the jobs rely on; all can be set on a running session, so they hold on Glue and in rehearsal."""

from pyspark.sql import SparkSession

# In a damaged page the vectorized reader of Parquet can loop for ever; the other one fails, or gives rows.
_VECTORIZED = "spark.sql.parquet.enableVectorizedReader"

_SETTINGS = {
    # A timestamp without a zone is UTC, on every machine.
    "spark.sql.session.timeZone": "UTC",
    # Redshift's COPY wants INT64 timestamps; Spark's default is the retired INT96.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Years before 1582 are data as well, not a reason to fail the write.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    # Spark has no type for nanoseconds; `read_parquet` makes times of these numbers.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # A cast that fails gives null, which `cells` turns into a reason; ANSI mode would fail the whole job.
    "spark.sql.ansi.enabled": "false",
    # JSON knows `id` and `ID` apart.
    "spark.sql.caseSensitive": "true",
    # A line with one value in the wrong place is a bad line, not one with a null there.
    "spark.sql.json.enablePartialResults": "false",
    # With pruning the CSV reader does not notice a row that is too short or too long.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    # Would drop the counters of a stage that turns out empty, and the count would wait for ever.
    "spark.sql.adaptive.optimizer.excludedRules": ("org.apache.spark.sql.execution.adaptive.AQEPropagateEmptyRelation"),
    # Deduces filters from every expression of every column, and takes minutes over a hundred of ours to find none.
    "spark.sql.constraintPropagation.enabled": "false",
    # `prepare` switches it off for files of others.
    _VECTORIZED: "true",
    # Few, larger files: a small table becomes one.
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
}

# The ledger decides what counts, so the marker file is noise, and the committer may move files without a second rename.
WRITE_OPTIONS = {
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
    "compression": "snappy",
}


def prepare(spark: SparkSession, *, reads_landing: bool = False) -> SparkSession:
    """Gives the session the jobs' settings; with `reads_landing` those for files that others have written."""
    settings = _SETTINGS | {_VECTORIZED: str(not reads_landing).lower()}
    for name, value in settings.items():
        spark.conf.set(name, value)
    return spark
