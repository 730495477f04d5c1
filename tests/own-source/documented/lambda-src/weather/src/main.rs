use aws_sdk_s3::primitives::ByteStream;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let s3 = aws_sdk_s3::Client::from_conf(
        // Path style, so that a rehearsal's bucket on this machine is found.
        aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build(),
    );
    run(service_fn(|event: LambdaEvent<Value>| read(&s3, event))).await
}

async fn read(s3: &aws_sdk_s3::Client, _: LambdaEvent<Value>) -> Result<Value, Error> {
    // Here your own program asks its source. A row is one line of JSON.
    let rows = [json!({"station": "10384", "at": "2026-11-01 06:00:00", "celsius": 4.5})];
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let bucket = std::env::var("RAW_BUCKET")?;
    let key = "landing/observations/2026-11-01.jsonl";
    s3.put_object().bucket(bucket).key(key).body(ByteStream::from(lines.into_bytes())).send().await?;
    Ok(json!({"objects": {"observations": {"rows": rows.len()}}}))
}
