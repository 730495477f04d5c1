//! A source for the tests, without a dependency: it speaks Lambda's Runtime API and S3 over plain HTTP.
//!
//! A real one uses `lambda_runtime` and `aws-sdk-s3` (docs/sources/lambda.md): this one's signature is none.

use std::env::var;
use std::io::{Read, Result, Write};
use std::net::TcpStream;

fn main() -> Result<()> {
    let api = var("AWS_LAMBDA_RUNTIME_API").expect("run by Lambda");
    loop {
        let (head, _) = http(&api, "GET", "/2018-06-01/runtime/invocation/next", "", "")?;
        let header = |line: &&str| line.to_lowercase().starts_with("lambda-runtime-aws-request-id:");
        let request =
            head.lines().find(header).and_then(|line| line.split(':').nth(1)).unwrap_or_default().trim().to_owned();
        let (way, body) = match read() {
            Ok(rows) => ("response", format!(r#"{{"objects":{{"observations":{{"rows":{rows}}}}}}}"#)),
            Err(message) => ("error", format!(r#"{{"errorType":"Station","errorMessage":"{message}"}}"#)),
        };
        http(&api, "POST", &format!("/2018-06-01/runtime/invocation/{request}/{way}"), "", &body)?;
    }
}

/// Reads the station, writes what it has measured, and keeps how far it came.
fn read() -> std::result::Result<usize, String> {
    let setting = |name: &str| var(name).map_err(|_| format!("{name} is not set"));
    println!(r#"{{"level":"WARN","message":"too warm to measure"}}"#);
    if setting("MODE")? == "fail" {
        return Err(format!("station {} does not answer", setting("STATION")?));
    }
    // A source with a secret reads the station that the secret names.
    let station = match var("SECRET_NAME") {
        Ok(name) => secret(&name)?,
        Err(_) => setting("STATION")?,
    };
    let rows: String = (1..=3)
        .map(|day| format!("{{\"station\":\"{station}\",\"at\":\"2026-11-0{day} 06:00:00\",\"celsius\":{day}.5}}\n"))
        .collect();
    put(&format!("landing/{}/november.jsonl", setting("TABLES")?), &rows)?;
    put(&setting("STATE_KEY")?, r#"{"until":"2026-11-03"}"#)?;
    Ok(3)
}

fn put(key: &str, body: &str) -> std::result::Result<(), String> {
    let path = format!("/{}/{key}", var("RAW_BUCKET").unwrap_or_default());
    aws("PUT", "s3", &path, "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n", body).map(drop)
}

/// What a secret holds, if it has nothing that JSON would escape.
fn secret(name: &str) -> std::result::Result<String, String> {
    let headers = "x-amz-target: secretsmanager.GetSecretValue\r\nContent-Type: application/x-amz-json-1.1\r\n";
    let answer = aws("POST", "secretsmanager", "/", headers, &format!(r#"{{"SecretId":"{name}"}}"#))?;
    let value = answer.split(r#""SecretString":""#).nth(1).and_then(|rest| rest.split('"').next());
    value.map(str::to_owned).ok_or_else(|| format!("the secret {name} is empty"))
}

fn aws(method: &str, service: &str, path: &str, headers: &str, body: &str) -> std::result::Result<String, String> {
    let endpoint = var("AWS_ENDPOINT_URL").map_err(|_| "only in a rehearsal".to_owned())?;
    let host = endpoint.trim_start_matches("http://");
    let signature = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={}/20261121/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=0\r\n{headers}",
        var("AWS_ACCESS_KEY_ID").unwrap_or_default()
    );
    let (head, answer) = http(host, method, path, &signature, body).map_err(|error| error.to_string())?;
    let status = head.lines().next().unwrap_or_default();
    if status.contains(" 200 ") { Ok(answer) } else { Err(format!("{path}: {status} {answer}").replace(['"', '\n'], "'")) }
}

fn http(host: &str, method: &str, path: &str, headers: &str, body: &str) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(host)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_owned(), body.to_owned()))
}
