//! Other users and web pages, who can reach the port but have no key of the run.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Local;

/// A request as its text is; the answer's status and all of it.
async fn send(local: &Local, request: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", local.endpoint.port())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// Creates a bucket, with these headers.
fn put(local: &Local, key: &str, host: &str, headers: &str) -> String {
    let host = host.replace("PORT", &local.endpoint.port().to_string());
    let host = if host.is_empty() { String::new() } else { format!("Host: {host}\r\n") };
    format!(
        "PUT /stolen HTTP/1.1\r\n{host}Connection: close\r\n{headers}Content-Length: 0\r\nAuthorization: \
         AWS4-HMAC-SHA256 Credential={key}/20261120/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
    )
}

async fn buckets(local: &Local) -> usize {
    local.s3.list_buckets().send().await.unwrap().buckets().len()
}

#[tokio::test]
async fn unsigned_and_foreign_requests_are_rejected_and_logged() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let other = tempfile::tempdir().unwrap();
    let other = crate::account::LocalAccount::open(other.path(), super::ACCOUNT, super::REGION).unwrap();
    let key = local.account.access_key("me");
    let here = "127.0.0.1:PORT";
    let refused = [
        put(&local, "AKIAIOSFODNN7EXAMPLE", here, ""),
        put(&local, "shop-load", here, ""),
        put(&local, &other.access_key("me"), here, ""),
        put(&local, key.rsplit_once('.').unwrap().1, here, ""),
        put(&local, &key, "rebound.example:PORT", ""),
        put(&local, &key, "127.0.0.1.rebound.example", ""),
        put(&local, &key, here, "Host: rebound.example\r\n"),
        put(&local, &key, here, "Origin: https://page.example\r\n"),
        put(&local, &key, here, "Origin: null\r\n"),
        put(&local, &key, here, &format!("Origin: http://127.0.0.1:{}\r\n", local.endpoint.port())),
        put(&local, &key, here, "Sec-Fetch-Site: cross-site\r\n"),
        put(&local, &key, here, "Sec-Fetch-Site: same-site\r\n"),
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".to_owned(),
        // What a page can send to another one without being asked: a form.
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 38\r\n\r\nAction=DeleteStack&StackName=warehouse"
            .to_owned(),
        "POST /?X-Amz-Credential=me/20261120/us-east-1/cloudformation/aws4_request HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         Connection: close\r\nOrigin: https://page.example\r\nContent-Type: text/plain\r\nContent-Length: 38\r\n\r\n\
         Action=DeleteStack&StackName=warehouse"
            .to_owned(),
        // One with a JSON target, whose SDK reads JSON.
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Amz-Target: secretsmanager.ListSecrets\r\n\
         Content-Length: 2\r\n\r\n{}"
            .to_owned(),
    ];
    for request in &refused {
        let (status, answer) = send(&local, request).await;
        assert!(status == 403 && !answer.contains(&key), "{request}\n{answer}");
    }
    assert!(send(&local, refused.last().unwrap()).await.1.contains("\"__type\":\"InvalidClientTokenId\""));
    assert_eq!(buckets(&local).await, 0);
    // What the pipeline sends is taken, by either name of this machine.
    for host in [here, "localhost:PORT"] {
        let (status, answer) = send(&local, &put(&local, &key, host, "")).await;
        assert!(status == 200 || status == 409, "{host}: {answer}");
    }
    assert_eq!(buckets(&local).await, 1);

    let (count, log) = local.account.refused();
    assert_eq!(count, refused.len() + 1);
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.lines().count(), count, "{log}");
    assert!(!log.contains(&key) && !log.contains("Credential"), "{log}");
    let lines: Vec<&str> = log.lines().map(|line| line.split_once("): ").unwrap().1).collect();
    assert_eq!(lines[0], r#"the access key is not one of this run of pipectl: PUT "/stolen""#);
    assert!(lines[4].starts_with("the header `Host` names another machine \"rebound.example:"), "{}", lines[4]);
    assert_eq!(
        lines[7],
        r#"the request comes from a web page, by its header `Origin` "https://page.example": PUT "/stolen""#
    );
    let user = rustix::process::geteuid().as_raw();
    assert!(
        log.lines().all(|line| line.contains(&format!("(user {user}")) || line.contains("an unknown user")),
        "{log}"
    );
}

#[tokio::test]
async fn a_request_without_a_host_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let key = local.account.access_key("me");
    let request = put(&local, &key, "", "");
    let (status, _) = send(&local, &request).await;
    assert!(status == 400 || status == 403, "{status}");
    let (status, _) = send(&local, &request.replace("HTTP/1.1", "HTTP/1.0")).await;
    assert!(status == 400 || status == 403, "{status}");
    assert_eq!(buckets(&local).await, 0);
}
