"""Spark on this machine as the rehearsal wants it: `s3://` paths on plain folders, and a start of seconds.

Spark's own jars hold no S3 client. A view file system maps each bucket to the folder in which the local account keeps
it, so that the jobs' paths are the same here and on Glue.
"""

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pyspark
from pyspark import SparkContext
from pyspark.sql import SparkSession

_VIEW = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
_MOUNT = "fs.viewfs.mounttable.{}.linkFallback"

_SETTINGS = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.catalogImplementation": "in-memory",
    # Hadoop has its own umask. Only the user of the rehearsal may read rows.
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.hadoop.fs.s3.impl": _VIEW,
    "spark.hadoop.fs.s3a.impl": _VIEW,
    "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.LocalFileSystem",
    "spark.hadoop.fs.viewfs.overload.scheme.target.s3a.impl": "org.apache.hadoop.fs.LocalFileSystem",
    # Writes no .crc files: what is in the folder is what S3 would list.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3a": (
        "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitterFactory"
    ),
    # A rehearsal's tables are small: planning and compiling would cost more than the work.
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.codegen.wholeStage": "false",
}
# The databases' drivers, which Glue has built in: where a wheel of the set-up keeps them, and what they must be.
_DRIVERS = {
    "mysql-connector-j-9.1.0.jar": "8776e2ebc46072c9a47ea59d98298c4273bd9f16a7b26b5dfa4744535aa26c62",
    "org.postgresql_postgresql-42.7.4.jar": "188976721ead8e8627eb6d8389d500dccc0c9bebd885268a3047180274a6031e",
}
_DRIVER_WHEEL = "mkpipe_extractor_postgres"
# What Glue adds with `--datalake-formats iceberg`: Iceberg itself, and AWS's SDK for its catalog and its files.
_ICEBERG = "iceberg-spark-runtime-3.5_2.12-1.10.2.jar"
_ICEBERG_DIGEST = "c562d482dcd16b666e808b755469fbc4b2604284b41622c9d87e2c02b7cc6c5f"
_ICEBERG_EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
_ICEBERG_WHEEL = "snowpark_connect_deps_iceberg"
_SDK = "2.29.26"
_SDK_WHEEL = "bodo_iceberg_connector"
_SDK_BESIDE = ("eventstream-1.0.1.jar", "reactive-streams-1.0.4.jar")
_SDK_LEFT_OUT = ("netty-nio-client", "crt-core", "s3tables")
# A JVM cannot change its environment, but these say the same.
_JAVA_NAMES = {
    "AWS_ACCESS_KEY_ID": "aws.accessKeyId",
    "AWS_SECRET_ACCESS_KEY": "aws.secretAccessKey",
    "AWS_REGION": "aws.region",
    "AWS_ENDPOINT_URL": "aws.endpointUrl",
}
# They log each file that they open.
_READERS = ("org.apache.spark.sql.execution.datasources.FileScanRDD", "org.apache.spark.rdd.HadoopRDD")
_READ = re.compile(r"(?:path: |Input split: )(s3a?://\S+?)(?:, range|:\d+\+\d+|$)", re.MULTILINE)
# Quick to start rather than quick for hours.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


class Trouble(Exception):
    """Spark cannot be started here."""


def java() -> str:
    """The Java that Spark will use."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise Trouble("no Java found; install a Java 17 runtime (Debian, Ubuntu: apt install openjdk-17-jre-headless)")
    return found


def drivers() -> list[Path]:
    """The drivers of MySQL and PostgreSQL; without their wheel there are none."""
    folder = _folder_of(_DRIVER_WHEEL, "jars")
    found = [folder / name for name in sorted(_DRIVERS) if (folder / name).is_file()] if folder else []
    for jar in found:
        _verify(jar, _DRIVERS[jar.name], _DRIVER_WHEEL)
    return found


def iceberg() -> list[Path]:
    """Iceberg and what it needs to reach AWS; without their wheels there is nothing."""
    folder, sdk = _folder_of(_ICEBERG_WHEEL, "jars"), _folder_of(_SDK_WHEEL, "jars/libs")
    if not folder or not sdk or not (folder / _ICEBERG).is_file():
        return []
    _verify(folder / _ICEBERG, _ICEBERG_DIGEST, _ICEBERG_WHEEL)
    parts = sorted(sdk.glob(f"*-{_SDK}.jar"))
    parts = [jar for jar in parts if not jar.name.startswith(_SDK_LEFT_OUT)]
    return [folder / _ICEBERG, *parts, *(sdk / name for name in _SDK_BESIDE)]


def _folder_of(wheel: str, path: str) -> Path | None:
    found = importlib.util.find_spec(wheel)
    return Path(found.submodule_search_locations[0], path) if found and found.submodule_search_locations else None


def _verify(jar: Path, digest: str, wheel: str) -> None:
    if hashlib.sha256(jar.read_bytes()).hexdigest() != digest:
        raise Trouble(f"{jar} is not the file that it should be; install {wheel} again")


def archive_path(cache: Path) -> Path:
    """The path of the class archive for exactly this Java, these jars and these flags."""
    said = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True).stderr
    # What Java takes from the environment, it says first.
    version = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("Picked up "))
    jars = Path(pyspark.__file__).parent / "jars"
    parts = [version, str(jars), *_JVM]
    for jar in [*sorted(jars.iterdir()), *drivers(), *iceberg()]:
        state = jar.stat()
        parts.append(f"{jar.name} {state.st_size} {state.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return cache / f"spark-classes-{digest[:16]}.jsa"


def build_archive(cache: Path) -> Path:
    """Builds the class archive once: Spark starts in half the time with it."""
    archive = archive_path(cache)
    if archive.exists():
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        fresh = Path(folder, "classes.jsa")
        trainer = Path(__file__).with_name("train.py")
        run = subprocess.run([sys.executable, str(trainer), str(fresh)], capture_output=True, text=True, check=False)
        if not fresh.exists():
            # Only slower without: the rehearsal goes on.
            print(f"no class archive was made, Spark will start slowly: {run.stderr[-2000:]}", file=sys.stderr)
            return archive
        for old in cache.glob("spark-classes-*.jsa"):
            old.unlink(missing_ok=True)
        fresh.replace(archive)
    return archive


def start(mounts: dict[str, str], work: Path, jvm_options: list[str]) -> SparkSession:
    """Starts the JVM and the session; `work` holds Spark's own scratch files and those of the libraries in it."""
    options = [*_JVM, f"-Djava.io.tmpdir={work}", *jvm_options]
    settings = _SETTINGS | {
        "spark.local.dir": str(work),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.driver.extraJavaOptions": " ".join(map(_quoted, options)),
    }
    settings |= {f"spark.hadoop.{_MOUNT.format(bucket)}": _folder(path) for bucket, path in mounts.items()}
    if iceberg():
        settings["spark.sql.extensions"] = _ICEBERG_EXTENSIONS
    settings["spark.driver.extraClassPath"] = os.pathsep.join(map(str, [*drivers(), *iceberg()]))
    java()
    # A properties file, not a configuration folder: a folder on the class path makes the JVM refuse its archive.
    properties = work / "spark.properties"
    lines = [f"{name} {_escape(value)}\n" for name, value in settings.items()]
    properties.write_text("".join(lines), encoding="utf-8")
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--properties-file {shlex.quote(str(properties))} pyspark-shell"
    os.environ["SPARK_LAUNCHER_OPTS"] = " ".join(_JVM)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ.pop("SPARK_CONF_DIR", None)
    os.environ.pop("SPARK_HOME", None)
    session = SparkSession.builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def mount(session: SparkSession, mounts: dict[str, str]) -> None:
    """Adds buckets to a running session; one that is already in use keeps its folder."""
    hadoop = session.sparkContext._jsc.hadoopConfiguration()
    for bucket, path in mounts.items():
        hadoop.set(_MOUNT.format(bucket), _folder(path))


def become(variables: dict[str, str]) -> None:
    """Lets AWS's SDK for Java, which Iceberg calls AWS with, take these variables of AWS for its own."""
    context = SparkContext._active_spark_context
    if context is None:
        return
    for name, known in _JAVA_NAMES.items():
        if name in variables:
            context._jvm.System.setProperty(known, variables[name])
        else:
            context._jvm.System.clearProperty(known)


def log_reads(session: SparkSession, file: Path) -> None:
    """Lets Spark write the address of every file that it reads to a file, one a line."""
    log4j = session.sparkContext._jvm.org.apache.logging.log4j
    context = log4j.LogManager.getContext(False)
    layout = log4j.core.layout.PatternLayout.newBuilder().withPattern("%m%n").build()
    appender = log4j.core.appender.FileAppender.newBuilder().withFileName(str(file)).setName("reads").setLayout(layout)
    appender = appender.build()
    appender.start()
    configuration = context.getConfiguration()
    configuration.addAppender(appender)
    for name in _READERS:
        logger = log4j.core.config.LoggerConfig(name, log4j.Level.INFO, False)
        logger.addAppender(appender, None, None)
        configuration.addLogger(name, logger)
    context.updateLoggers()


def reads(lines: str) -> list[str]:
    """The addresses in what Spark has logged of its reads."""
    found = _READ.findall(lines)
    return sorted({unquote(path) for path in found})


def stop(session: SparkSession) -> None:
    """Stops Spark and waits for its JVM, which writes its class archive only on a proper end."""
    gateway = session.sparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=120)


def _folder(path: str) -> str:
    return Path(path).absolute().as_uri()


def _quoted(option: str) -> str:
    """As one word where Spark divides options at their blanks."""
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\")
