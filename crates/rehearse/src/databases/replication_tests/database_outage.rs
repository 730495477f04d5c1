//! Databases that stop while they are read: no partial result is written, and the next run reads what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// More than what is said about a table, and less than what is in it.
const WIDE: usize = 100_000;

/// A way to a server that breaks once so many bytes have come back in one connection.
struct Way {
    port: u16,
    limit: Arc<AtomicUsize>,
}

impl Way {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, limit) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(usize::MAX)));
        let shared = Arc::clone(&limit);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let limit = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    let ((mut from, mut to), (mut back, mut answers)) = (client.into_split(), server.into_split());
                    let asked = tokio::spawn(async move { tokio::io::copy(&mut from, &mut answers).await });
                    let (mut buffer, mut passed) = (vec![0; 8 * 1024], 0);
                    while let Ok(length @ 1..) = back.read(&mut buffer).await {
                        passed += length;
                        if passed > limit.load(Ordering::SeqCst) || to.write_all(&buffer[..length]).await.is_err() {
                            break;
                        }
                    }
                    asked.abort();
                });
            }
        });
        Self { port, limit }
    }

    fn breaks_after(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::SeqCst);
    }

    fn is_mended(&self) {
        self.breaks_after(usize::MAX);
    }
}

/// How many files have landed.
fn landed(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { landed(&path) } else { 1 }).sum()
}

fn rows(files: &[File]) -> Vec<u64> {
    files.iter().map(|file| file.rows).collect()
}

/// Two tables of a thousand long rows, then changes of all of them in transactions over both tables.
async fn breaks(source: &str) {
    let text = "x".repeat(200);
    let values = |first: u32| {
        let values = (first..first + 1_000).map(|id| format!("({id}, '{text}')"));
        values.collect::<Vec<_>>().join(", ")
    };
    let schema = format!(
        "CREATE TABLE things (id bigint PRIMARY KEY, name varchar(300)); \
         CREATE TABLE parts (id bigint PRIMARY KEY, name varchar(300)); \
         INSERT INTO things VALUES {0}; INSERT INTO parts VALUES {0};",
        values(1)
    );
    let Some(world) = World::open(source, &schema).await else { return };
    let server = world.server();
    let way = Way::to(server.port).await;
    let access = Access { port: way.port, ..server.access() };
    let mut replication = world.replication_from(&access, &json!({}));
    let folder = world.account.bucket_directory("raw").join("landing");

    way.breaks_after(WIDE);
    let error = replication.full_load(server).await.unwrap_err().to_string();
    assert!(error.contains("SQL database cannot be read"), "{error}");
    assert_eq!(landed(&folder), 0, "a table is there whole or not at all");
    way.is_mended();
    assert_eq!(rows(&replication.full_load(server).await.unwrap()), [1_000, 1_000]);
    assert_eq!(landed(&folder), 2);

    let step = format!(
        "INSERT INTO things VALUES {}; BEGIN; UPDATE things SET name = 'y' WHERE id <= 1000; \
         UPDATE parts SET name = 'y'; COMMIT; DELETE FROM parts WHERE id <= 10;",
        values(1_001)
    );
    server.run(&step).await.unwrap();
    for bytes in [WIDE, 2 * WIDE] {
        way.breaks_after(bytes);
        let error = replication.changes().await.unwrap_err().to_string();
        assert!(error.contains("SQL database cannot be followed"), "{error}");
        assert_eq!(landed(&folder), 2, "nothing is reported of an interrupted log");
    }
    way.is_mended();
    // What cannot be put is no more lost than what cannot be read.
    replication.write_to("nowhere");
    let error = replication.changes().await.unwrap_err().to_string();
    assert!(error.contains("cannot write s3://nowhere/landing/crm/"), "{error}");
    replication.write_to("raw");
    assert_eq!(rows(&replication.changes().await.unwrap()), [1_010, 2_000]);
    assert_eq!(landed(&folder), 4);
    assert!(replication.changes().await.unwrap().is_empty(), "nothing comes twice");

    // An expired password is reported, not shown, and loses nothing.
    let (user, password) = (&server.credentials.username, &server.credentials.password);
    let (expire, renew) = if server.engine == crate::spec::Engine::Mysql {
        (
            format!("ALTER USER {user} PASSWORD EXPIRE"),
            format!("ALTER USER {user} IDENTIFIED BY '{password}' PASSWORD EXPIRE NEVER"),
        )
    } else {
        let until = |time: &str| format!("ALTER ROLE {user} VALID UNTIL '{time}'");
        (until("2020-01-01"), until("infinity"))
    };
    server.run(&format!("DELETE FROM things WHERE id = 1; {expire};")).await.unwrap();
    let error = replication.changes().await.unwrap_err().to_string();
    assert!(error.contains("SQL database cannot be reached") && error.to_lowercase().contains("password"), "{error}");
    assert!(!error.contains(password), "{error}");
    server.run(&renew).await.unwrap();
    assert_eq!(rows(&replication.changes().await.unwrap()), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_outage() {
    breaks("pg").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_outage() {
    breaks("my").await;
}
