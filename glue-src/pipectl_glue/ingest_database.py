"""The connection to a database: its address, its credentials, and queries through JDBC."""

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pyspark.sql import DataFrame, SparkSession

from pipectl_glue.failure import Failure
from pipectl_glue.ingest_sql import MYSQL, POSTGRESQL

# Glue has both drivers.
_DRIVERS = {MYSQL: "com.mysql.cj.jdbc.Driver", POSTGRESQL: "org.postgresql.Driver"}
# MySQL's driver takes rows one by one for this value, and all at once for any other.
_FETCH = {MYSQL: str(-(2**31)), POSTGRESQL: "10000"}
_CONNECT_SECONDS = 30
# MySQL lets an expired password in, and then takes no statement. PostgreSQL does not tell it from a wrong one.
_EXPIRED = re.compile(r"must SET PASSWORD|must reset your password|password has expired", re.IGNORECASE)
_DENIED = re.compile(r"Access denied for user|password authentication failed", re.IGNORECASE)
# A server that says nothing for so long is gone.
_SILENCE_SECONDS = 900


@dataclass(frozen=True)
class Database:
    """A database and how to sign in."""

    engine: str
    host: str
    port: int
    database: str
    schema: str
    tls: bool
    username: str
    password: str = field(repr=False)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.engine} database `{self.database}` at {self.host}:{self.port}"

    @property
    def driver(self) -> str:
        """The class of its JDBC driver."""
        return _DRIVERS[self.engine]

    def options(self) -> dict[str, str]:
        """The options of Spark's JDBC reader, without the query."""
        common = {
            "url": f"jdbc:{self.engine}://{self.host}:{self.port}/{self.database}",
            "driver": self.driver,
            "user": self.username,
            "password": self.password,
            "fetchsize": _FETCH[self.engine],
            "tcpKeepAlive": "true",
        }
        if self.engine == POSTGRESQL:
            return common | {
                "sslmode": "require" if self.tls else "disable",
                "connectTimeout": str(_CONNECT_SECONDS),
                "socketTimeout": str(_SILENCE_SECONDS),
                "ApplicationName": "pipectl",
                "sessionInitStatement": "SET TIME ZONE 'UTC'",
            }
        return common | {
            "sslMode": "REQUIRED" if self.tls else "DISABLED",
            "allowPublicKeyRetrieval": str(not self.tls).lower(),
            "connectTimeout": str(_CONNECT_SECONDS * 1000),
            "socketTimeout": str(_SILENCE_SECONDS * 1000),
            "characterEncoding": "UTF-8",
            # A time of day is UTC, and a zero date is read as what it is.
            "sessionInitStatement": "SET SESSION time_zone = '+00:00', sql_mode = ''",
        }

    def query(self, spark: SparkSession, sql: str) -> DataFrame:
        """A query's rows; it runs when they are taken."""
        # Not `query`, for which Spark generates a new alias each time, which MySQL then shows in its log.
        return spark.read.format("jdbc").options(**self.options(), dbtable=f"({sql}) AS rows_of_source").load()

    def rows(self, spark: SparkSession, sql: str) -> list[dict[str, Any]]:
        """A small query's rows at once."""
        return [row.asDict() for row in self.query(spark, sql).collect()]

    def reason(self, error: Exception) -> str:
        """What the database or its driver says is wrong, without the JVM's stack and without the password."""
        java = getattr(error, "java_exception", None)
        text = str(error)
        if java is not None:
            while java.getCause() is not None:
                java = java.getCause()
            text = str(java.getMessage() or java.toString())
        text = " ".join(text.partition("\n\tat ")[0].split())
        return text.replace(self.password, "***") if self.password else text

    def advice(self, reason: str) -> str:
        """What to check when the database does not respond, by the reason that it gives."""
        if _EXPIRED.search(reason):
            return f"the password of `{self.username}` has expired: give it a new one, and put that into the secret"
        if _DENIED.search(reason):
            return (
                f"the secret's password is not that of `{self.username}`, or has expired: put the right one into the "
                "secret"
            )
        return "see that it is up, that its security group lets the job in, and that the secret is right"


def connect(name: str, source: dict[str, Any], secrets: Any = None) -> Database:
    """Finds the address and the credentials of a source of the pipeline document."""
    secret = _secret(name, source["secret"], secrets)
    host, port = source.get("host") or secret.get("host"), source["port"]
    if not host:
        raise Failure(
            f"source `{name}`: neither the pipeline nor the secret `{source['secret']}` says on which host "
            "its database is"
        )
    tls = source["tls"]
    here = os.environ.get("DATABASE_ENDPOINT")
    if here:
        # A rehearsal: the server is on this machine, whatever the pipeline says.
        host, _, port = here.rpartition(":")
        tls = False
    return Database(
        engine=source["type"],
        host=host,
        port=int(port),
        database=source["database"],
        schema=source["schema"],
        tls=tls,
        username=secret["username"],
        password=secret["password"],
    )


def _secret(name: str, secret_id: str, client: Any) -> dict[str, Any]:
    try:
        client = client or boto3.session.Session().client("secretsmanager")
        value = json.loads(client.get_secret_value(SecretId=secret_id).get("SecretString") or "null")
    except (ClientError, BotoCoreError) as error:
        raise Failure(f"source `{name}`: cannot read the secret `{secret_id}`: {error}") from error
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(value.get(part), str) for part in ("username", "password")):
        raise Failure(
            f"source `{name}`: the secret `{secret_id}` is not filled in; it must be "
            '{{"username": "…", "password": "…"}}'
        )
    return value
