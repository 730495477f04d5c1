//! The events that AWS services send, as documented.

use serde_json::{Value, json};
use time::OffsetDateTime;

use pipectl_core::resource::Resources;

/// An object that was written to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectWritten {
    pub bucket: String,
    pub key: String,
    pub size: u64,
    pub etag: String,
    /// The call: `PutObject`, `CompleteMultipartUpload` or `CopyObject`.
    pub operation: String,
}

fn envelope(resources: &Resources, source: &str, kind: &str, about: &[String], detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": kind,
        "source": source,
        "account": resources.account,
        "time": now(),
        "region": resources.region,
        "resources": about,
        "detail": detail,
    })
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    format!("{}T{:02}:{:02}:{:02}Z", now.date(), now.hour(), now.minute(), now.second())
}

/// The call as CloudTrail records it and EventBridge forwards it.
pub(super) fn through_cloudtrail(resources: &Resources, object: &ObjectWritten) -> Value {
    let arn = format!("arn:aws:s3:::{}/{}", object.bucket, object.key);
    let detail = json!({
        "eventVersion": "1.11",
        "eventTime": now(),
        "eventSource": "s3.amazonaws.com",
        "eventName": object.operation,
        "awsRegion": resources.region,
        "requestParameters": {"bucketName": object.bucket, "key": object.key},
        "responseElements": null,
        "additionalEventData": {"bytesTransferredIn": object.size},
        "readOnly": false,
        "resources": [
            {"type": "AWS::S3::Object", "ARN": arn},
            {"accountId": resources.account, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{}", object.bucket)},
        ],
        "eventType": "AwsApiCall",
        "managementEvent": false,
        "recipientAccountId": resources.account,
        "eventCategory": "Data",
    });
    envelope(resources, "aws.s3", "AWS API Call via CloudTrail", &[], &detail)
}

/// S3's own event.
pub(super) fn object_created(resources: &Resources, object: &ObjectWritten) -> Value {
    let detail = json!({
        "version": "0",
        "bucket": {"name": object.bucket},
        "object": {"key": object.key, "size": object.size, "etag": object.etag, "sequencer": "00"},
        "requester": resources.account,
        "reason": object.operation,
    });
    let about = [format!("arn:aws:s3:::{}", object.bucket)];
    envelope(resources, "aws.s3", "Object Created", &about, &detail)
}

/// The end of a job run.
pub fn job_state_change(resources: &Resources, job: &str, run: &str, state: &str, message: &str) -> Value {
    let severity = if state == "SUCCEEDED" { "INFO" } else { "ERROR" };
    let detail = json!({"jobName": job, "severity": severity, "state": state, "jobRunId": run, "message": message});
    envelope(resources, "aws.glue", "Glue Job State Change", &[], &detail)
}

/// A webhook as Shopify hands it to EventBridge. `id` is the same in each delivery.
pub fn webhook(resources: &Resources, (source, store): (&str, &str), topic: &str, id: &str, payload: &Value) -> Value {
    let detail = json!({
        "payload": payload,
        "metadata": {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": store,
            "X-Shopify-Triggered-At": now(),
            "X-Shopify-Webhook-Id": id,
        },
    });
    envelope(resources, source, "shopifyWebhook", &[], &detail)
}

/// What Lambda puts on the bus when an asynchronous call has failed after all retries: the record of its destinations.
pub fn call_failed(
    resources: &Resources,
    function: &str,
    request: &str,
    payload: &Value,
    attempts: u64,
    (kind, message): (&str, &str),
) -> Value {
    let arn = format!("{}:$LATEST", resources.arn_of("AWS::Lambda::Function", function));
    let detail = json!({
        "version": "1.0",
        "timestamp": now(),
        "requestContext": {
            "requestId": request, "functionArn": arn, "condition": "RetriesExhausted", "approximateInvokeCount": attempts,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": message, "errorType": kind},
    });
    let about = [resources.arn("events", "event-bus/default"), arn];
    envelope(resources, "lambda", "Lambda Function Invocation Result - Failure", &about, &detail)
}
