//! The Data API's answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::{CALLER, Fixture, request};

#[tokio::test]
async fn a_batch_is_one_transaction_and_describes_its_statements() {
    let Some(mut fixture) = Fixture::start().await else { return };
    let mut body = request();
    body["Sqls"] = json!(["CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1), (2)", "SELECT id FROM t ORDER BY id"]);
    body["StatementName"] = json!("shop-local/load/1/t");
    body["WithEvent"] = json!(true);
    body["ClientToken"] = json!("a-token");
    let accepted = fixture.call("BatchExecuteStatement", body.clone()).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    assert_eq!(accepted.body["WorkgroupName"], "shop-local");
    let id = accepted.body["Id"].as_str().unwrap().to_owned();
    let described = fixture.call("DescribeStatement", json!({ "Id": id, "WaitTimeSeconds": 30 })).await.body;
    assert_eq!(described["Status"], "FINISHED", "{described:#}");
    assert_eq!((&described["HasResultSet"], &described["ResultRows"]), (&json!(true), &json!(-1)));
    let parts: Vec<Value> = described["SubStatements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| json!([part["Id"], part["Status"], part["ResultRows"], part["HasResultSet"]]))
        .collect();
    assert_eq!(
        parts,
        [
            json!([format!("{id}:1"), "FINISHED", 0, false]),
            json!([format!("{id}:2"), "FINISHED", 2, false]),
            json!([format!("{id}:3"), "FINISHED", 2, true])
        ]
    );
    let result = fixture.call("GetStatementResult", json!({ "Id": format!("{id}:3") })).await.body;
    assert_eq!(result["Records"], json!([[{ "longValue": 1 }], [{ "longValue": 2 }]]));

    let event = tokio::time::timeout(Duration::from_mins(1), fixture.events.recv()).await.unwrap().unwrap();
    assert_eq!(event["source"], "aws.redshift-data");
    assert_eq!(event["detail-type"], "Redshift Data Statement Status Change");
    assert_eq!(event["resources"], json!(["arn:aws:redshift-serverless:us-east-1:000000000000:workgroup/1"]));
    let detail = &event["detail"];
    assert_eq!(
        json!([detail["principal"], detail["statementName"], detail["statementId"], detail["state"]]),
        json!([CALLER, "shop-local/load/1/t", id, "FINISHED"])
    );

    let again = fixture.call("BatchExecuteStatement", body.clone()).await;
    assert_eq!(again.body["Id"], id, "the same client token is the same statement");
    body["Sqls"] = json!(["SELECT 1"]);
    assert_eq!(fixture.call("BatchExecuteStatement", body).await.body["__type"], "ValidationException");
    assert_eq!(fixture.rows("SELECT COUNT(*) FROM t").await, "2");

    let failed = fixture.batch(&["INSERT INTO t VALUES (3)", "SELECT 1 / 0", "INSERT INTO t VALUES (4)"]).await;
    assert_eq!(failed["Status"], "FAILED");
    assert_eq!(failed["Error"], "Query #2 failed with ERROR: division by zero");
    let states: Vec<&Value> = failed["SubStatements"].as_array().unwrap().iter().map(|part| &part["Status"]).collect();
    assert_eq!(states, ["FINISHED", "FAILED", "ABORTED"]);
    assert_eq!(fixture.rows("SELECT COUNT(*) FROM t").await, "2", "nothing of a failed batch stays");

    let listed = fixture.call("ListStatements", json!({ "StatementName": "shop-local/load/" })).await.body;
    assert_eq!(listed["Statements"][0]["Id"], id);
    let all = fixture.call("ListStatements", json!({ "Status": "ALL", "MaxResults": 1 })).await.body;
    assert_eq!((&all["Statements"][0]["Status"], &all["NextToken"]), (&json!("FAILED"), &json!("1")));
}

#[tokio::test]
async fn values_have_the_types_of_the_model() {
    let Some(fixture) = Fixture::start().await else { return };
    let described = fixture
        .one("SELECT 1::SMALLINT AS a, 2.5::DOUBLE PRECISION AS b, TRUE AS c, 1.50::DECIMAL(5,2) AS d, DATE '2024-01-02' AS e, NULL::INT AS f, 'x'::VARCHAR(9) AS g, JSON_PARSE('{\"k\": 1}') AS h")
        .await;
    assert_eq!(described["ResultRows"], 1);
    let result = fixture.call("GetStatementResult", json!({ "Id": described["Id"] })).await.body;
    assert_eq!(
        result["Records"][0],
        json!([
            { "longValue": 1 }, { "doubleValue": 2.5 }, { "booleanValue": true }, { "stringValue": "1.50" },
            { "stringValue": "2024-01-02" }, { "isNull": true }, { "stringValue": "x" }, { "stringValue": "{\"k\":1}" }
        ])
    );
    let columns = result["ColumnMetadata"].as_array().unwrap();
    let kinds: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {} {}", column["typeName"].as_str().unwrap(), column["precision"], column["scale"]))
        .collect();
    assert_eq!(
        kinds,
        ["int2 5 0", "float8 17 17", "bool 1 0", "numeric 5 2", "date 13 0", "int4 10 0", "varchar 9 0", "super 0 0"]
    );
    assert_eq!(result["TotalNumRows"], 1);
}

#[tokio::test]
async fn invalid_requests_are_rejected_with_the_services_errors() {
    let Some(fixture) = Fixture::start().await else { return };
    let with = |field: &str, value: Value| {
        let mut body = request();
        body["Sql"] = json!("SELECT 1");
        body[field] = value;
        body
    };
    for (action, body, kind, message) in [
        (
            "ExecuteStatement",
            with("WorkgroupName", json!("other")),
            "ValidationException",
            "Redshift endpoint doesn't exist in this region.",
        ),
        (
            "ExecuteStatement",
            with("SecretArn", json!("nothing")),
            "ValidationException",
            "Secrets Manager can't find the specified secret.",
        ),
        (
            "ExecuteStatement",
            with("Sql", json!("x".repeat(102_401))),
            "ValidationException",
            "exceeds the limit of 100 KB",
        ),
        ("ExecuteStatement", with("Sql", json!(7)), "SerializationException", "invalid type"),
        (
            "ExecuteStatement",
            with("Parameters", json!([{ "name": "n", "value": "1" }])),
            "ValidationException",
            "Unused parameters: [\"n\"]",
        ),
        (
            "ExecuteStatement",
            with("SessionKeepAliveSeconds", json!(60)),
            "ValidationException",
            "does not keep sessions",
        ),
        (
            "BatchExecuteStatement",
            with("Sqls", json!(vec!["SELECT 1"; 41])),
            "ValidationException",
            "between 1 and 40, and has 41",
        ),
        ("DescribeStatement", json!({ "Id": "none" }), "ResourceNotFoundException", "Query does not exist."),
        ("ListDatabases", json!({}), "UnknownOperationException", "RedshiftData.ListDatabases"),
    ] {
        let answer = fixture.call(action, body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body["__type"], kind, "{}", answer.body);
        assert!(answer.body["Message"].as_str().unwrap().contains(message), "{}", answer.body);
    }
    let mut body = with("Database", json!("other"));
    assert_eq!(fixture.submit("ExecuteStatement", body).await["Error"], "FATAL: database \"other\" does not exist");
    body = with("Sql", json!("CREATE TABLE t (id INT)"));
    let created = fixture.submit("ExecuteStatement", body).await;
    let none = fixture.call("GetStatementResult", json!({ "Id": created["Id"] })).await;
    assert_eq!(none.body["__type"], "ResourceNotFoundException");

    // Without the secret, the caller is the role's database user, and has no rights.
    let mut body = with("Sql", json!("SELECT * FROM t WHERE id = :id"));
    body["Parameters"] = json!([{ "name": "id", "value": "1" }]);
    assert_eq!(fixture.submit("ExecuteStatement", body.clone()).await["Status"], "FINISHED");
    body.as_object_mut().unwrap().remove("SecretArn");
    assert_eq!(fixture.submit("ExecuteStatement", body).await["Error"], "ERROR: permission denied for table t");
}

#[tokio::test]
async fn a_running_statement_can_be_cancelled() {
    let Some(mut fixture) = Fixture::start().await else { return };
    let mut body = request();
    body["Sqls"] = json!(["CREATE TABLE t (id INT)", "SELECT pg_sleep(60)"]);
    body["WithEvent"] = json!(true);
    let id = fixture.call("BatchExecuteStatement", body).await.body["Id"].clone();
    loop {
        let described = fixture.call("DescribeStatement", json!({ "Id": id })).await.body;
        if described["SubStatements"][1]["Status"] == "STARTED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(fixture.call("CancelStatement", json!({ "Id": id })).await.body, json!({ "Status": true }));
    let described = fixture.call("DescribeStatement", json!({ "Id": id, "WaitTimeSeconds": 10 })).await.body;
    assert_eq!(described["Status"], "ABORTED", "{described:#}");
    assert_eq!(fixture.events.recv().await.unwrap()["detail"]["state"], "ABORTED");
    assert_eq!(fixture.call("CancelStatement", json!({ "Id": id })).await.body["__type"], "ValidationException");
    assert_eq!(fixture.rows("SELECT * FROM t").await, "ERROR: relation \"t\" does not exist");
}

#[tokio::test]
async fn truncate_commits_and_vacuum_runs_alone() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture.each(&["CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (id INT)"]).await;
    let failed =
        fixture.batch(&["INSERT INTO u VALUES (1)", "TRUNCATE t", "INSERT INTO u VALUES (2)", "VACUUM t"]).await;
    assert_eq!(failed["Error"], "Query #4 failed with ERROR: VACUUM cannot run inside a transaction block");
    assert_eq!(fixture.rows("SELECT (SELECT COUNT(*) FROM t), (SELECT COUNT(*) FROM u)").await, "0|1");
    let mut body = request();
    body["Sqls"] = json!(["INSERT INTO u VALUES (3)", "SELECT 1 / 0", "INSERT INTO u VALUES (4)"]);
    body["ExecutionMode"] = json!("AUTO_COMMIT");
    assert_eq!(fixture.submit("BatchExecuteStatement", body).await["Status"], "FAILED");
    assert_eq!(fixture.rows("SELECT COUNT(*) FROM u").await, "3");
}

#[tokio::test]
async fn the_service_answers_over_http() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Some(fixture) = Fixture::start().await else { return };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = fixture.api.router(CALLER);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut body = request();
    body["Sql"] = json!("SELECT 1");
    let body = body.to_string();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: RedshiftData.ExecuteStatement";
    stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"WorkgroupName\":\"shop-local\""), "{answer}");
}
