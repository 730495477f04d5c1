"""The Spark session as a Glue script asks for it."""

from pyspark import SparkContext
from pyspark.sql import SparkSession


class GlueContext:
    """Gives a script the session that the rehearsal already runs."""

    def __init__(self, spark_context: SparkContext) -> None:
        self.spark_session = SparkSession(spark_context).builder.getOrCreate()

    def get_logger(self) -> object:
        """The JVM's logger, which has `info`, `warn` and `error`."""
        return self.spark_session._jvm.org.apache.log4j.LogManager.getLogger("GlueLogger")
