"""Real MySQL-family and PostgreSQL servers for the tests. Where one is missing, its tests cannot run."""

import os
import shutil
import socket
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from skipping import cannot_run

from pipectl_glue.ingest_database import Database

_DATABASE, _USER, _PASSWORD, _ADMIN = "shop", "reader", "a 'secret' word", "of the tests alone"
_WHEEL = Path(sysconfig.get_path("purelib"), "pgserver/pginstall/bin")
_PLACES = [
    "/usr/sbin",
    "/usr/local/sbin",
    *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True),
    str(_WHEEL),
]


def _program(*names: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *_PLACES])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _as_somebody() -> dict[str, Any]:
    """Neither server runs as root."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


@dataclass
class Server:
    """A server with a database `shop`, and a connection of its administrator."""

    engine: str
    port: int
    process: "subprocess.Popen[bytes]"
    spark: SparkSession
    admin: Any = None

    def run(self, *statements: str) -> None:
        """Runs statements as the administrator."""
        statement = self.admin.createStatement()
        for text in statements:
            statement.execute(text)
        statement.close()

    def fresh(self) -> None:
        """An empty database."""
        if self.engine == "mysql":
            self.run("DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop", "USE shop", "SET sql_mode = ''")
            self.run("SET time_zone = '+00:00'")
        else:
            self.run("DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public", "SET TIME ZONE 'UTC'")
            self.run(f"GRANT USAGE ON SCHEMA public TO {_USER}")
            self.run(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {_USER}")

    @property
    def secret(self) -> dict[str, str]:
        return {"username": _USER, "password": _PASSWORD}

    def source(self, port: int | None = None) -> dict[str, Any]:
        """The source as the pipeline document has it."""
        schema = "shop" if self.engine == "mysql" else "public"
        place = {"host": "127.0.0.1", "port": port or self.port, "database": "shop", "schema": schema}
        return {
            "type": self.engine,
            **place,
            "secret": "s",
            "tls": False,
            "capture": "watermark",
            "overlap_seconds": 600,
        }

    def connect(self, user: str, password: str, database: str) -> Any:
        """A JDBC connection; waits for the server to answer."""
        options = Database(self.engine, "127.0.0.1", self.port, database, "", False, user, password).options()
        manager, limit = self.spark._jvm.java.sql.DriverManager, time.monotonic() + 60
        properties = self.spark._jvm.java.util.Properties()
        for name in ("user", "password", "sslmode", "sslMode", "allowPublicKeyRetrieval"):
            if name in options:
                properties.setProperty(name, options[name])
        self.spark._jvm.java.lang.Class.forName(options["driver"])
        while True:
            try:
                return manager.getConnection(options["url"], properties)
            except Exception:
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        self.process.kill() if self.engine == "mysql" else self.process.send_signal(3)
        self.process.wait(30)


def start(engine: str, folder: Path, spark: SparkSession) -> Server:
    """Makes and starts a server; the tests cannot run where its programs are not on this machine."""
    data = folder / "data"
    for parent in [folder, *folder.parents]:
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)
    data.mkdir()
    somebody = _as_somebody()
    if somebody:
        os.chown(folder, 65534, 65534)
        os.chown(data, 65534, 65534)
    port = _port()
    # A MariaDB that starts deletes the temporary tables of all that share its folder.
    own = os.environ | {"TMPDIR": str(folder)}
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": folder, "env": own, **somebody}
    if engine == "mysql":
        program, install = _program("mariadbd"), _program("mariadb-install-db")
        if not program or not install:
            cannot_run("mariadb", "no MariaDB", "apt-get install mariadb-server, or brew install mariadb")
        make = [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        subprocess.run([*make, "--skip-test-db", "--innodb-log-file-size=8M"], check=True, **quiet)
        serve = [program, "--no-defaults", f"--datadir={data}", f"--port={port}", f"--socket={folder}/s"]
        serve += ["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4"]
    else:
        program, install = _program("postgres"), _program("initdb")
        if not program or not install:
            cannot_run("postgresql", "no PostgreSQL", "apt-get install postgresql, or brew install postgresql@16")
        secret = folder / "password"
        secret.write_text(_ADMIN)
        secret.chmod(0o644)
        make = [install, "--username=admin", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]
        make += ["--encoding=UTF8", "--locale=C", f"--pwfile={secret}", "-D", str(data)]
        subprocess.run(make, check=True, **quiet)
        serve = [program, "-D", str(data), "-k", str(folder), "-p", str(port), "-c", "fsync=off"]
    process = subprocess.Popen(serve, **quiet | {"stdout": (folder / "log").open("wb")})
    server = Server(engine, port, process, spark)
    if engine == "mysql":
        server.admin = server.connect("root", "", "mysql")
        password = _PASSWORD.replace("'", "''")
        server.run(f"CREATE USER {_USER} IDENTIFIED BY '{password}'", f"GRANT SELECT ON shop.* TO {_USER}")
    else:
        first = server.connect("admin", _ADMIN, "postgres")
        first.createStatement().execute("CREATE DATABASE shop")
        password = _PASSWORD.replace("'", "''")
        first.createStatement().execute(f"CREATE ROLE {_USER} LOGIN PASSWORD '{password}'")
        server.admin = server.connect("admin", _ADMIN, "shop")
    return server
