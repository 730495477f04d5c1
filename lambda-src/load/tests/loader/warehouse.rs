//! A Redshift Data API on loopback: it honours client tokens, and a statement is over when its event is taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use serde_json::{Value, json};
use test_server::{Reply, Request, Server};

#[derive(Clone, Debug, Default)]
pub(crate) struct Warehouse {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    statements: BTreeMap<String, Statement>,
    tokens: BTreeMap<String, String>,
    order: Vec<String>,
    running: VecDeque<String>,
    /// The names of statements that fail once, and with what.
    failures: BTreeMap<String, String>,
    /// The columns of `core.orders`: name and type.
    columns: Vec<(String, String)>,
    /// How many statements are let through before one never gets its answer, and whether that one is run.
    stop: Option<(usize, bool)>,
}

#[derive(Debug)]
struct Statement {
    name: String,
    sqls: Vec<String>,
    status: &'static str,
    error: Option<String>,
    created: f64,
}

impl Warehouse {
    pub(crate) async fn serve(&self) -> Server {
        let warehouse = self.clone();
        Server::start(move |request| warehouse.lock().answer(&request)).await.unwrap()
    }

    /// Ends the statement that runs longest, and returns its event.
    pub(crate) fn event(&self) -> Option<Value> {
        let mut inner = self.lock();
        let id = inner.running.pop_front()?;
        let name = inner.statements[&id].name.clone();
        let error = inner.failures.remove(&name);
        let statement = inner.statements.get_mut(&id)?;
        statement.status = if error.is_some() { "FAILED" } else { "FINISHED" };
        statement.error = error;
        let detail = json!({"statementId": id, "statementName": name, "state": statement.status, "principal": "p"});
        Some(
            json!({"source": "aws.redshift-data", "detail-type": "Redshift Data Statement Status Change", "detail": detail}),
        )
    }

    /// How many statements run.
    pub(crate) fn running(&self) -> usize {
        self.lock().running.len()
    }

    pub(crate) fn fail(&self, name: &str, error: &str) {
        self.lock().failures.insert(name.to_owned(), error.to_owned());
    }

    /// Says which columns `core.orders` has.
    pub(crate) fn columns(&self, columns: &[(&str, &str)]) {
        self.lock().columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
    }

    /// Lets so many statements through; the next one never gets an answer, whether it is run or not.
    pub(crate) fn stop_after(&self, statements: usize, is_run: bool) {
        self.lock().stop = Some((statements, is_run));
    }

    /// Answers again.
    pub(crate) fn go_on(&self) {
        self.lock().stop = None;
    }

    /// The names of what was submitted, in order.
    pub(crate) fn submitted(&self) -> Vec<String> {
        let inner = self.lock();
        inner.order.iter().map(|id| inner.statements[id].name.clone()).collect()
    }

    pub(crate) fn sql(&self) -> Vec<String> {
        self.lock().statements.values().flat_map(|statement| statement.sqls.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Inner {
    fn answer(&mut self, request: &Request) -> Reply {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        match request.header("x-amz-target") {
            "RedshiftData.BatchExecuteStatement" | "RedshiftData.ExecuteStatement" => match self.stop {
                Some((0, is_run)) => {
                    if is_run {
                        self.execute(&body);
                    }
                    self.stop = Some((0, false));
                    Reply::hang()
                }
                stop => {
                    self.stop = stop.map(|(left, is_run)| (left - 1, is_run));
                    self.execute(&body)
                }
            },
            "RedshiftData.ListStatements" => self.list(&body),
            "RedshiftData.GetStatementResult" => self.result(body["Id"].as_str().unwrap()),
            "RedshiftData.DescribeStatement" => self.describe(body["Id"].as_str().unwrap()),
            other => Reply::new(400, json!({"__type": "UnknownOperation", "message": other}).to_string()),
        }
    }

    fn list(&self, body: &Value) -> Reply {
        let (prefix, status) = (body["StatementName"].as_str().unwrap(), body["Status"].as_str().unwrap());
        let entry = |(id, statement): (&String, &Statement)| json!({"Id": id, "StatementName": statement.name, "Status": statement.status, "CreatedAt": statement.created});
        let listed = self.statements.iter().filter(|(_, statement)| {
            statement.name.starts_with(prefix) && (status == "ALL" || statement.status == status)
        });
        let listed: Vec<Value> = listed.map(entry).collect();
        Reply::new(200, json!({ "Statements": listed }).to_string())
    }

    fn execute(&mut self, body: &Value) -> Reply {
        assert_eq!(
            (&body["WorkgroupName"], &body["Database"], &body["WithEvent"]),
            (&json!("shop-dev"), &json!("warehouse"), &json!(true))
        );
        assert_eq!(body["SecretArn"], "redshift!shop-dev-pipectl_admin");
        let token = body["ClientToken"].as_str().unwrap().to_owned();
        let sqls: Vec<String> = match body["Sql"].as_str() {
            Some(sql) => vec![sql.to_owned()],
            None => serde_json::from_value(body["Sqls"].clone()).unwrap(),
        };
        if let Some(id) = self.tokens.get(&token) {
            if self.statements[id].sqls != sqls {
                let message = "ClientToken was used before with other parameters";
                return Reply::new(400, json!({"__type": "ValidationException", "message": message}).to_string());
            }
            return Reply::new(200, json!({"Id": id}).to_string());
        }
        let id = format!("id-{}", self.statements.len() + 1);
        let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let statement = Statement {
            name: body["StatementName"].as_str().unwrap().to_owned(),
            sqls,
            status: "STARTED",
            error: None,
            created,
        };
        self.statements.insert(id.clone(), statement);
        self.tokens.insert(token, id.clone());
        self.order.push(id.clone());
        self.running.push_back(id.clone());
        Reply::new(200, json!({"Id": id}).to_string())
    }

    /// What a look finds: the columns that the test gives, and nothing else.
    fn result(&self, id: &str) -> Reply {
        let (id, number) = id.split_once(':').unwrap();
        assert!(self.statements[id].sqls[0].contains("svv_columns"), "{id}");
        let text = |text: &str| json!({"stringValue": text});
        let rows: Vec<Value> = match number {
            "1" => {
                let row = |(name, kind): &(String, String)| {
                    let none = json!({"isNull": true});
                    json!([text("core"), text("orders"), text(name), text(kind), none, none, none, text("YES")])
                };
                self.columns.iter().map(row).collect()
            }
            _ => Vec::new(),
        };
        Reply::new(200, json!({"ColumnMetadata": [], "Records": rows, "TotalNumRows": rows.len()}).to_string())
    }

    fn describe(&self, id: &str) -> Reply {
        let statement = &self.statements[id];
        let part = |(number, sql): (usize, &String)| {
            let failed = statement.error.is_some() && number == 2;
            let status = if failed { "FAILED" } else { "FINISHED" };
            let error = statement.error.as_ref().filter(|_| failed);
            json!({"Id": format!("{id}:{}", number + 1), "Status": status, "QueryString": sql, "ResultRows": 10, "Error": error})
        };
        let parts: Vec<Value> = statement.sqls.iter().enumerate().map(part).collect();
        let created = statement.created;
        Reply::new(200, json!({"Id": id, "Status": statement.status, "Error": statement.error, "CreatedAt": created, "SubStatements": parts}).to_string())
    }
}
