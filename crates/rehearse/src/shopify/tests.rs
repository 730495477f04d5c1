use std::time::Duration;

use fs_err as fs;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// A reply as it came over the wire.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

async fn send(stand_in: &StandIn, method: &str, path: &str, token: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(stand_in.address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-type: application/json\r\nx-shopify-access-token: {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A cut connection may show as an error; what came before counts.
    let _ = stream.read_to_end(&mut reply).await;
    let reply = String::from_utf8(reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    Reply { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

async fn graphql(stand_in: &StandIn, token: &str, query: &str, variables: Value) -> (Reply, Value) {
    let body = json!({"query": query, "variables": variables}).to_string();
    let reply = send(stand_in, "POST", "/admin/api/2026-10/graphql.json", token, &body).await;
    let value = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
    (reply, value)
}

async fn token(stand_in: &StandIn) -> String {
    let body = json!({"client_id": "id", "client_secret": "secret", "grant_type": "client_credentials"}).to_string();
    let reply = send(stand_in, "POST", "/admin/oauth/access_token", "", &body).await;
    let value: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(value["expires_in"], 86_399);
    value["access_token"].as_str().unwrap().to_owned()
}

/// A shop with ten orders.
async fn shop() -> (tempfile::TempDir, StandIn) {
    let directory = tempfile::tempdir().unwrap();
    let row = |number| {
        format!("{{\"id\":\"gid:\\/\\/shopify\\/Order\\/{number}\",\"updatedAt\":\"2024-01-{number:02}T00:00:00Z\"}}")
    };
    let rows = (1..=10).map(row).collect::<Vec<_>>().join("\n");
    fs::write(directory.path().join("orders.jsonl"), rows).unwrap();
    let credentials = Credentials { client_id: "id".into(), client_secret: "secret".into() };
    let (data, work) = (directory.path().to_owned(), directory.path());
    let stand_in = StandIn::start(data, "local.myshopify.com", credentials, work).await.unwrap();
    (directory, stand_in)
}

const RUN: &str = "mutation Run($query: String!) { bulkOperationRunQuery(query: $query) { bulkOperation { id status } userErrors { field message } } }";
const POLL: &str = "query Poll($id: ID!) { node(id: $id) { ... on BulkOperation { status errorCode objectCount rootObjectCount fileSize url } } }";
const ORDERS: &str = "{ orders(query: \"updated_at:>='2024-01-06T00:00:00Z'\") { edges { node { id name } } } }";

/// Runs the operation and polls it until it is done; gives what each poll saw, and the last answer.
async fn run(stand_in: &StandIn, token: &str) -> (Vec<String>, Value) {
    let (_, answer) = graphql(stand_in, token, RUN, json!({"query": ORDERS})).await;
    let operation = &answer["data"]["bulkOperationRunQuery"]["bulkOperation"];
    let mut seen = vec![operation["status"].as_str().unwrap().to_owned()];
    loop {
        let (_, answer) = graphql(stand_in, token, POLL, json!({"id": operation["id"]})).await;
        let node = answer["data"]["node"].clone();
        let status = node["status"].as_str().unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        if !["CREATED", "RUNNING"].contains(&status.as_str()) {
            return (seen, node);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_operation_passes_through_its_states() {
    let (_data, stand_in) = shop().await;
    let token = token(&stand_in).await;
    let (seen, mut node) = run(&stand_in, &token).await;
    assert_eq!(seen, ["CREATED", "RUNNING", "COMPLETED"]);
    let url = node["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(&stand_in.endpoint()).unwrap();
    node["url"] = Value::Null;
    insta::assert_snapshot!(node, @r#"{"status":"COMPLETED","errorCode":null,"objectCount":"5","rootObjectCount":"5","fileSize":"236","url":null}"#);
    let reply = send(&stand_in, "GET", path, "", "").await;
    insta::assert_snapshot!(reply.body, @r#"
    {"id":"gid:\/\/shopify\/Order\/6","name":null}
    {"id":"gid:\/\/shopify\/Order\/7","name":null}
    {"id":"gid:\/\/shopify\/Order\/8","name":null}
    {"id":"gid:\/\/shopify\/Order\/9","name":null}
    {"id":"gid:\/\/shopify\/Order\/10","name":null}
    "#);
    assert_eq!(stand_in.missing_fields(), BTreeSet::from(["Order.name".to_owned()]));

    stand_in.faults().truncated_download = 1;
    let cut = send(&stand_in, "GET", path, "", "").await;
    assert!(cut.head.contains(&format!("content-length: {}", reply.body.len())), "{}", cut.head);
    assert!(cut.body.len() < reply.body.len() && reply.body.starts_with(&cut.body), "{}", cut.body);
    assert_eq!(send(&stand_in, "GET", "/bulk/1.jsonl", "", "").await.status, 404);
}

#[tokio::test]
async fn it_fails_as_shopify_does() {
    let (data, stand_in) = shop().await;
    let token = token(&stand_in).await;
    let mut reported = Vec::new();
    let wrong = graphql(&stand_in, "shpat_wrong", "{ shop { name } }", json!({})).await.0;
    reported.push(format!("wrong token: {} {}", wrong.status, wrong.body));
    for (name, faults) in [
        ("expired", Faults { expired_token: 1, ..Faults::default() }),
        ("429", Faults { too_many_requests: 1, ..Faults::default() }),
        ("throttled", Faults { throttled: 1, ..Faults::default() }),
        ("500", Faults { server_error: 1, ..Faults::default() }),
        ("none", Faults::default()),
    ] {
        *stand_in.faults() = faults;
        let (reply, value) = graphql(&stand_in, &token, "{ shop { name } }", json!({})).await;
        let shown = if value.get("errors").or(value.get("data")).is_some() {
            let mut value = value;
            value.as_object_mut().unwrap().remove("extensions");
            value.to_string()
        } else {
            reply.body
        };
        reported.push(format!("{name}: {} {shown}", reply.status));
    }
    let unknown = graphql(&stand_in, &token, "{ nope }", json!({})).await.1;
    reported.push(format!("unknown field: {}", unknown["errors"][0]["message"]));
    stand_in.faults().failed_operation = 1;
    reported.push(format!("failed: {}", run(&stand_in, &token).await.1));
    fs::write(data.path().join("orders.jsonl"), "{oops\n").unwrap();
    reported.push(format!("broken data: {}", run(&stand_in, &token).await.1["status"]));
    insta::assert_snapshot!(reported.join("\n"), @r#"
    wrong token: 401 {"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}
    expired: 401 {"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}
    429: 429 {"errors":"Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."}
    throttled: 200 {"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED","documentation":"https://shopify.dev/api/usage/rate-limits"}}]}
    500: 500 <html><body>Something went wrong</body></html>
    none: 200 {"data":{"shop":{"name":"Rehearsal"}}}
    unknown field: "Field 'nope' doesn't exist on type 'QueryRoot'"
    failed: {"status":"FAILED","errorCode":"INTERNAL_SERVER_ERROR","objectCount":"5","rootObjectCount":"5","fileSize":null,"url":null}
    broken data: "FAILED"
    "#);
    assert!(stand_in.broken_data()[0].contains("orders.jsonl:1:"), "{:?}", stand_in.broken_data());
}

#[tokio::test]
async fn versions_costs_and_limits_are_reported() {
    let (_data, stand_in) = shop().await;
    let token = token(&stand_in).await;
    let old =
        send(&stand_in, "POST", "/admin/api/2024-01/graphql.json", &token, "{\"query\":\"{ shop { name } }\"}").await;
    assert!(old.head.contains("x-shopify-api-version: 2026-01"), "{}", old.head);
    let (reply, answer) = graphql(&stand_in, &token, "{ shop { name } }", json!({})).await;
    assert!(reply.head.contains("x-shopify-api-version: 2026-10"), "{}", reply.head);
    assert_eq!(answer["extensions"]["cost"]["throttleStatus"]["maximumAvailable"], 2000.0);
    let mut errors = Vec::new();
    for _ in 0..6 {
        let (_, answer) = graphql(&stand_in, &token, RUN, json!({"query": ORDERS})).await;
        errors.push(answer["data"]["bulkOperationRunQuery"]["userErrors"][0]["message"].as_str().is_some());
    }
    assert_eq!(errors, [false, false, false, false, false, true], "five at once, the sixth is refused");
    let refused =
        send(&stand_in, "POST", "/admin/oauth/access_token?grant_type=client_credentials&client_id=id", "", "{}").await;
    assert_eq!((refused.status, refused.body.contains("secret\"")), (401, false));
}
