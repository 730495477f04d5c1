//! Other users of the machine, and programs without the password of the run.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tokio_postgres::{Config, NoTls};

use super::support::Fixture;
use crate::postgres::server::{Server, USER};

/// A user who owns nothing here.
const STRANGER: u32 = 54_321;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn login_requires_the_password_of_the_run() {
    let Some(fixture) = Fixture::start().await else { return };
    let login = fixture.warehouse.login();
    for password in [None, Some(""), Some("pipectl"), Some("0000")] {
        let mut config = Config::new();
        config.host_path(&login.socket).user(USER).dbname("postgres");
        if let Some(password) = password {
            config.password(password);
        }
        assert!(config.connect(NoTls).await.is_err(), "{password:?}");
    }
    let mut config = Config::new();
    config.host_path(&login.socket).user(USER).dbname("postgres").password(&login.password);
    assert!(config.connect(NoTls).await.is_ok());
    let rules = fixture.rows("SELECT DISTINCT auth_method FROM pg_hba_file_rules").await;
    assert_eq!(rules, "scram-sha-256", "no rule trusts anybody");
    assert!(!format!("{login:?}").contains(&login.password), "{login:?}");
}

#[tokio::test]
async fn trust_authentication_of_earlier_versions_is_removed() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.warehouse.stop();
    let directory = fixture.directory.path().join("warehouse");
    let server = Server::start(&directory, None).unwrap();
    let (data, first) = (server.data().to_owned(), server.login().password);
    drop(server);
    std::fs::write(data.join("pg_hba.conf"), "local all all trust\nhost all all all trust\n").unwrap();
    let server = Server::start(&directory, None).unwrap();
    let login = server.login();
    assert_ne!(login.password, first, "each run has its own");
    for password in ["", &first] {
        let mut config = Config::new();
        config.host_path(&login.socket).user(USER).dbname("postgres").password(password);
        assert!(config.connect(NoTls).await.is_err());
    }
}

#[tokio::test]
async fn other_users_cannot_access_socket_or_data() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.warehouse.stop();
    let server = Server::start(&fixture.directory.path().join("warehouse"), None).unwrap();
    let (login, data) = (server.login(), server.data().to_owned());
    let socket = login.socket.join(".s.PGSQL.5432");
    assert_eq!((mode(&login.socket), mode(&data)), (0o700, 0o700));
    assert_eq!(mode(&login.socket.join("pgpass")), 0o600);
    assert_eq!(std::fs::metadata(&login.socket).unwrap().uid(), std::fs::metadata(&data).unwrap().uid());
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let sets: Vec<&str> =
        status.lines().filter(|line| line.starts_with("Cap") && !line.starts_with("CapBnd")).collect();
    if !rustix::process::geteuid().is_root() {
        return pipectl_core::testing::cannot_run("root", "only root can attack as another user", "run it as root");
    }
    assert!(sets.iter().all(|set| set.ends_with("\t0000000000000000")), "{sets:?}");
    assert_ne!(std::fs::metadata(&data).unwrap().uid(), 0, "the server owns its data");
    let psql = server.psql();
    for attack in [
        format!("{psql} postgres -c 'SELECT 1'"),
        format!("{} postgres -c 'SELECT 1'", psql.split_once(' ').unwrap().1),
        format!("ls {}", login.socket.display()),
        format!("cat {}", login.socket.join("pgpass").display()),
        format!("ls {}", data.display()),
        format!("cat {}/PG_VERSION", data.display()),
        format!("test -S {}", socket.display()),
    ] {
        let output = Command::new("sh").args(["-c", &attack]).uid(STRANGER).gid(STRANGER).output().unwrap();
        assert!(!output.status.success(), "{attack}: {output:?}");
    }
    // The attack itself works with a valid password.
    let output = Command::new("sh").args(["-c", &format!("{psql} postgres -Atc 'SELECT 1'")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{output:?}");
}
