//! What goes wrong: a killed server, a killed run, two writers at once, two runs at once.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::support::{Fixture, request};
use crate::postgres::data_home;
use crate::postgres::os_account::Account;
use crate::postgres::server::Server;

fn kill(process: u32) {
    kill_process(Pid::from_raw(process.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_batch_fails_when_the_server_is_killed_and_a_later_one_works() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.each(&["CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)"]).await;
    let mut body = request();
    body["Sqls"] = json!(["INSERT INTO t VALUES (2)", "SELECT pg_sleep(60)"]);
    let id = fixture.call("BatchExecuteStatement", body).await.body["Id"].clone();
    loop {
        let described = fixture.call("DescribeStatement", json!({ "Id": id })).await.body;
        if described["SubStatements"][1]["Status"] == "STARTED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    kill(fixture.warehouse.process().unwrap());
    let described = fixture.call("DescribeStatement", json!({ "Id": id, "WaitTimeSeconds": 30 })).await.body;
    assert_eq!(described["Status"], "FAILED");
    let error = described["Error"].as_str().unwrap();
    assert!(
        error.contains("the connection to the warehouse was lost") || error.contains("terminating connection"),
        "{error}"
    );
    fixture.each(&["INSERT INTO t VALUES (3)"]).await;
    assert_eq!(fixture.rows("SELECT id FROM t ORDER BY id").await, "1\n3");
}

#[tokio::test]
async fn data_persists_between_runs_and_an_orphaned_server_is_stopped() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.each(&["CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)"]).await;
    let directory = fixture.directory.path().join("warehouse");
    let second = Server::start(&directory, None).map(|_| ()).unwrap_err();
    assert!(second.message().contains("another pipectl is using the warehouse"), "{second}");
    fixture.warehouse.stop();

    // A run that was killed: its server still runs, its lock is gone.
    let server = Server::start(&directory, None).unwrap();
    let leftover = server.process();
    let data = std::fs::read_to_string(server.data().join("postmaster.pid")).unwrap();
    let socket = data.lines().nth(4).unwrap().to_owned();
    server.abandon();
    let start = Instant::now();
    let server = Server::start(&directory, None).unwrap();
    eprintln!("start on kept data, with a leftover server: {:?}", start.elapsed());
    assert_ne!(server.process(), leftover);
    assert!(!std::path::Path::new(&socket).exists(), "the leftover's socket is removed");
    drop(server);
    let start = Instant::now();
    let server = Server::start(&directory, None).unwrap();
    eprintln!("start on kept data: {:?}", start.elapsed());
    drop(server);

    let directory = std::mem::replace(&mut { fixture }.directory, tempfile::tempdir().unwrap());
    let start = Instant::now();
    let fixture = Fixture::start_in(directory).await;
    eprintln!("start of the warehouse on kept data: {:?}", start.elapsed());
    assert_eq!(fixture.rows("SELECT id FROM t").await, "1");
}

#[tokio::test]
async fn an_interrupted_initialization_is_cleaned_up() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.warehouse.stop();
    let directory = fixture.directory.path().join("other");
    // What a run leaves that was killed in the middle of initdb.
    std::fs::create_dir_all(&directory).unwrap();
    let home = data_home::open(&Account::choose(), &directory.canonicalize().unwrap()).unwrap();
    std::fs::create_dir_all(home.join("data.new/base")).unwrap();
    std::fs::write(home.join("data.new/PG_VERSION"), "15\n").unwrap();
    let start = Instant::now();
    let server = Server::start(&directory, None).unwrap();
    eprintln!("first start, with initdb: {:?}", start.elapsed());
    assert!(!home.join("data.new").exists());
    drop(server);
}

#[tokio::test]
async fn two_batches_on_one_table_do_not_mix() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.each(&["CREATE TABLE t (id INT, n INT)", "INSERT INTO t VALUES (1, 0)"]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut body = request();
        body["Sqls"] = json!([
            "SELECT n FROM t",
            "SELECT pg_sleep(0.3)",
            "UPDATE t SET n = n + 1",
            "INSERT INTO t SELECT MAX(id) + 1, 0 FROM t"
        ]);
        ids.push(fixture.call("BatchExecuteStatement", body).await.body["Id"].clone());
    }
    let mut ends: Vec<Value> = Vec::new();
    for id in ids {
        ends.push(fixture.call("DescribeStatement", json!({ "Id": id, "WaitTimeSeconds": 30 })).await.body);
    }
    let finished = ends.iter().filter(|end| end["Status"] == "FINISHED").count();
    assert_eq!(finished, 1, "{ends:#?}");
    let failed = ends.iter().find(|end| end["Status"] == "FAILED").unwrap();
    assert!(
        failed["Error"].as_str().unwrap().contains("ERROR: 1023\n  Detail: Serializable isolation violation"),
        "{failed:#}"
    );
    assert_eq!(fixture.rows("SELECT id, n FROM t ORDER BY id").await, "1|1\n2|0");
}
