use std::process::Command;

use fs_err as fs;

use super::*;
use crate::yaml;

const PIPELINE: &str = "\
name: shop
sources:
  pg:
    postgresql: {host: db.example.com, database: shop}
  my:
    mysql: {host: db.example.com, database: shop, capture: cdc}
tables:
  pg_orders: {source: pg.orders, watermark: updated_at, key: [id], columns: {id: bigint, updated_at: timestamp}}
  my_orders: {source: my.orders, key: [id], columns: {id: bigint, updated_at: timestamp}}
";

fn spec() -> Spec {
    let environment = "account: \"111111111111\"\nregion: eu-central-1\n";
    Spec::load(&yaml::Source::new("p.yaml", PIPELINE), &yaml::Source::new("dev.yaml", environment), "dev").unwrap()
}

/// Fails for each database server that this machine does not have, unless it is skipped.
pub(super) fn check_servers(databases: &Databases) {
    for (name, error) in &databases.left_out {
        let (missing, package) =
            if name == "my" { ("mariadb", "mariadb-server") } else { ("postgresql", "postgresql") };
        pipectl_core::testing::cannot_run(missing, error, &format!("apt-get install {package}"));
    }
}

fn write(folder: &Path) {
    fs::create_dir_all(folder.join("changes")).unwrap();
    let schema = "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(99), updated_at timestamp(6) NULL);";
    fs::write(folder.join("schema.sql"), schema).unwrap();
    fs::write(folder.join("orders.csv"), "id,note,updated_at\n1,\"a \"\"b\"\",\nc\",2026-01-01 10:00:00\n2,,\n")
        .unwrap();
    fs::write(
        folder.join("changes/1.sql"),
        "INSERT INTO orders VALUES (3, 'x', NULL);\nDELETE FROM orders WHERE id = 1;",
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_loaded_changed_and_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("data");
    write(&folder);
    let folders = BTreeMap::from([("pg".to_owned(), folder.clone()), ("my".to_owned(), folder.clone())]);
    let state = directory.path().join("state");
    let databases = Databases::open(&spec(), &folders, &state, None).await.unwrap();
    check_servers(&databases);
    assert_eq!(databases.steps(), usize::from(databases.all().count() > 0));
    for (_, server) in databases.all() {
        // NULL differs from text, and a line break within quotes does not end a record.
        let check = match server.engine {
            Engine::Mysql => {
                "CREATE TABLE seen AS SELECT 1/(count(*) = 1) AS one FROM orders WHERE id = 1 AND note = 'a \"b\",\\nc';"
            }
            Engine::Postgresql => "SELECT 1/(count(*))::int FROM orders WHERE id = 1 AND note = E'a \"b\",\\nc'",
        };
        server.run(check).await.unwrap();
        let error = server.run("SELECT nonsense FROM orders").await.unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
    }
    let made = databases.change(0).await.unwrap();
    assert_eq!((made.made.len(), made.gone.len()), (databases.all().count(), 0));
    let processes: Vec<u32> = databases.all().map(|(_, server)| server.process()).collect();
    drop(databases);
    for process in processes {
        assert!(!Path::new(&format!("/proc/{process}")).exists(), "{process} is still there");
    }
}

/// A rehearsal that is killed leaves its servers: the next one ends them.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_rehearsal_stops_servers_of_a_killed_one() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("data");
    write(&folder);
    let folders = BTreeMap::from([("my".to_owned(), folder)]);
    let state = directory.path().join("state");
    let databases = Databases::open(&spec(), &folders, &state, None).await.unwrap();
    let Some(server) = databases.get("my") else {
        return check_servers(&databases);
    };
    let process = server.process();
    // As if pipectl had been killed: nothing is dropped, and the lock is the kernel's to give back.
    let other = Databases::open(&spec(), &folders, &state, None).await.unwrap_err().to_string();
    assert!(other.contains("another pipectl is using"), "{other}");
    let databases = std::mem::ManuallyDrop::new(databases);
    databases.get("my").unwrap().release();
    let next = Databases::open(&spec(), &folders, &state, None).await.unwrap();
    let state_of = Command::new("ps").args(["-o", "stat=", "-p", &process.to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&state_of.stdout).trim().to_owned();
    assert!(text.is_empty() || text.starts_with('Z'), "{process} is still there: {text}");
    assert_ne!(next.get("my").unwrap().process(), process);
}

/// Nobody who runs a program on this machine signs in to a stand-in of a source without a password of the run.
#[tokio::test(flavor = "multi_thread")]
async fn other_users_of_the_machine_cannot_log_in() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("data");
    write(&folder);
    let folders = BTreeMap::from([("pg".to_owned(), folder.clone()), ("my".to_owned(), folder)]);
    let databases = Databases::open(&spec(), &folders, &directory.path().join("state"), None).await.unwrap();
    check_servers(&databases);
    let root = rustix::process::geteuid().is_root();
    for (_, server) in databases.all() {
        let (port, socket) = (server.port, server.socket.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(socket), mode(&server.login)), (0o700, 0o600));
        assert!(!format!("{server:?}").contains(&server.admin_password), "{server:?}");
        // Each by the network and by the socket, without a password and with a likely one.
        let attacks = match &server.programs {
            server::Programs::Mysql(programs) => {
                let client = format!("{} --no-defaults --batch -e 'SELECT 1'", programs.client().display());
                let users = ["root", "''", "pipectl", "mysql", "mariadb.sys"];
                let ways = [
                    format!("--host=127.0.0.1 --port={port} --protocol=tcp"),
                    format!("--socket={}", socket.join("s").display()),
                ];
                let ways = ways.iter().flat_map(|way| users.map(|user| format!("{client} {way} --user={user}")));
                ways.flat_map(|attack| [attack.clone(), format!("{attack} --password=root")]).collect::<Vec<_>>()
            }
            server::Programs::Postgresql(binaries) => {
                let hosts = ["127.0.0.1".to_owned(), socket.display().to_string()];
                let users = ["pipectl_admin", "postgres", "pipectl"];
                let ways = hosts.iter().flat_map(|host| users.map(|user| format!("-h {host} -p {port} -U {user}")));
                ways.flat_map(|way| {
                    ["", "PGPASSWORD=postgres "]
                        .map(|password| format!("{password}{} -w {way} postgres -c 'SELECT 1'", binaries.psql()))
                })
                .collect()
            }
        };
        for attack in attacks {
            for stranger in [false, true] {
                let mut command = Command::new("sh");
                command.args(["-c", &attack]).env_remove("PGPASSWORD").env_remove("MYSQL_PWD");
                if stranger && root {
                    command.uid(54_321).gid(54_321);
                }
                let output = command.output().unwrap();
                assert!(!output.status.success(), "{attack}: {output:?}");
            }
        }
        // With the password of the run the client does sign in.
        let client = format!("echo 'SELECT 1;' | {}", server.client());
        let output = Command::new("sh").args(["-c", &client]).output().unwrap();
        assert!(output.status.success(), "{client}: {output:?}");
        if root {
            let output = Command::new("sh").args(["-c", &client]).uid(54_321).gid(54_321).output().unwrap();
            assert!(!output.status.success(), "{client}: {output:?}");
        } else {
            pipectl_core::testing::cannot_run("root", "only root can attack as another user", "run it as root");
        }
        let status = fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
        assert!(!root || status.contains("CapEff:\t0000000000000000"), "{status}");
    }
}

#[test]
fn a_folder_with_unrelated_files_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("orders.jsonl"), "").unwrap();
    fs::create_dir(directory.path().join("changes")).unwrap();
    fs::write(directory.path().join("changes/one.txt"), "").unwrap();
    let error =
        check(directory.path()).unwrap_err().to_string().replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(error);
}
