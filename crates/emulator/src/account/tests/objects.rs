//! Objects as S3 and as files.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};

use super::{Local, message};

async fn with_bucket(directory: &std::path::Path) -> Local {
    let local = Local::open(directory).await;
    local.s3.create_bucket().bucket("data").send().await.unwrap();
    local
}

async fn body(local: &Local, key: &str) -> String {
    let answer = local.s3.get_object().bucket("data").key(key).send().await.unwrap();
    String::from_utf8(answer.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn objects_are_files_and_files_are_objects() {
    let directory = tempfile::tempdir().unwrap();
    let local = with_bucket(directory.path()).await;
    let mut events = local.account.object_events();
    let put = local
        .s3
        .put_object()
        .bucket("data")
        .key("landing/orders/1.jsonl")
        .content_type("application/json")
        .metadata("source", "shop")
        .body(b"hello world".to_vec().into())
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));
    assert_eq!(put.checksum_crc32(), Some("DUoRhQ=="));
    let file = local.account.bucket_directory("data").join("landing/orders/1.jsonl");
    assert_eq!(std::fs::read(&file).unwrap(), b"hello world");
    let event = events.recv().await.unwrap();
    assert_eq!((event.key.as_str(), event.size, event.event_name), ("landing/orders/1.jsonl", 11, "PutObject"));
    assert_eq!(event.access_key, "test");
    let head = local.s3.head_object().bucket("data").key("landing/orders/1.jsonl").send().await.unwrap();
    assert_eq!(head.content_type(), Some("application/json"));
    assert_eq!(head.metadata().unwrap()["source"], "shop");
    let range =
        local.s3.get_object().bucket("data").key("landing/orders/1.jsonl").range("bytes=6-").send().await.unwrap();
    assert_eq!(range.content_range(), Some("bytes 6-10/11"));
    assert_eq!(range.body.collect().await.unwrap().to_vec(), b"world");

    // Another program, such as Spark, writes and changes files.
    std::fs::write(&file, "changed").unwrap();
    let head = local.s3.head_object().bucket("data").key("landing/orders/1.jsonl").send().await.unwrap();
    assert_eq!(head.e_tag(), Some("\"8977dfac2f8e04cb96e66882235f5aba\""));
    local.s3.delete_object().bucket("data").key("landing/orders/1.jsonl").send().await.unwrap();
    assert!(!local.account.bucket_directory("data").join("landing").exists());
    let gone = local.s3.get_object().bucket("data").key("landing/orders/1.jsonl").send().await.unwrap_err();
    assert!(message(gone).starts_with("NoSuchKey"));
}

#[tokio::test]
async fn listings_have_pages_and_common_prefixes() {
    let directory = tempfile::tempdir().unwrap();
    let local = with_bucket(directory.path()).await;
    for key in ["a/1", "a/2", "a/b/3", "a/b/4", "a-x", "c", "d/e/f"] {
        local.put("data", key, key.as_bytes()).await;
    }
    // In the directory, but no object.
    std::fs::create_dir_all(local.account.bucket_directory("data").join("empty/deep")).unwrap();
    let all = local.s3.list_objects_v2().bucket("data").send().await.unwrap();
    let keys: Vec<&str> = all.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["a-x", "a/1", "a/2", "a/b/3", "a/b/4", "c", "d/e/f"]);
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let page = local
            .s3
            .list_objects_v2()
            .bucket("data")
            .delimiter("/")
            .max_keys(2)
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        pages.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        pages.extend(page.common_prefixes().iter().filter_map(|prefix| prefix.prefix().map(str::to_owned)));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["a-x", "a/", "c", "d/"]);
    let under = local.s3.list_objects_v2().bucket("data").prefix("a/").delimiter("/").send().await.unwrap();
    assert_eq!(under.contents().len(), 2);
    assert_eq!(under.common_prefixes()[0].prefix(), Some("a/b/"));
    let after = local.s3.list_objects_v2().bucket("data").start_after("a/b/3").send().await.unwrap();
    assert_eq!(after.contents()[0].key(), Some("a/b/4"));
    let old = local.s3.list_objects().bucket("data").marker("c").send().await.unwrap();
    assert_eq!(old.contents()[0].key(), Some("d/e/f"));
    let objects = ["a/1", "a/2", "nothing"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.to_vec())).build().unwrap();
    let deleted = local.s3.delete_objects().bucket("data").delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 3);
}

#[tokio::test]
async fn keys_that_are_invalid_file_names_are_stored() {
    let directory = tempfile::tempdir().unwrap();
    let local = with_bucket(directory.path()).await;
    let long = format!("deep/{}", "x".repeat(1019));
    let keys = ["a", "a/b", "a/b/c", "folder/", "x//y", "p/../q", "ünï cödé +&?", long.as_str()];
    for key in keys {
        local.put("data", key, key.as_bytes()).await;
    }
    for key in keys {
        assert_eq!(body(&local, key).await, key);
    }
    let listed = local.s3.list_objects_v2().bucket("data").send().await.unwrap();
    let mut listed: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    let mut expected = keys.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let encoded = local.s3.list_objects_v2().bucket("data").prefix("ünï").encoding_type("url".into()).send().await;
    assert_eq!(encoded.unwrap().contents()[0].key(), Some("%C3%BCn%C3%AF%20c%C3%B6d%C3%A9%20%2B%26%3F"));
    let too_long = "k".repeat(1025);
    let refused = local.s3.put_object().bucket("data").key(too_long).body(vec![1].into()).send().await.unwrap_err();
    assert!(message(refused).starts_with("KeyTooLongError"));
    for key in keys {
        local.s3.delete_object().bucket("data").key(key).send().await.unwrap();
    }
    local.s3.delete_bucket().bucket("data").send().await.unwrap();
}

#[tokio::test]
async fn multipart_uploads_are_joined() {
    let directory = tempfile::tempdir().unwrap();
    let local = with_bucket(directory.path()).await;
    let mut events = local.account.object_events();
    let upload = local.s3.create_multipart_upload().bucket("data").key("big").send().await.unwrap();
    let id = upload.upload_id().unwrap().to_owned();
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 * 1024 * 1024), (2, 10)] {
        let part = local
            .s3
            .upload_part()
            .bucket("data")
            .key("big")
            .upload_id(&id)
            .part_number(number)
            .body(vec![b'x'; size].into())
            .send()
            .await
            .unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag().map(str::to_owned)).build());
    }
    let listed = local.s3.list_parts().bucket("data").key("big").upload_id(&id).send().await.unwrap();
    assert_eq!(listed.parts().len(), 2);
    let complete = |parts: Vec<CompletedPart>| {
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        local.s3.complete_multipart_upload().bucket("data").key("big").upload_id(&id).multipart_upload(upload).send()
    };
    let reversed = complete(parts.iter().rev().cloned().collect()).await.unwrap_err();
    assert!(message(reversed).starts_with("InvalidPartOrder"));
    let done = complete(parts).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    let event = events.recv().await.unwrap();
    assert_eq!((event.event_name, event.size), ("CompleteMultipartUpload", 5 * 1024 * 1024 + 10));
    let gone = local.s3.abort_multipart_upload().bucket("data").key("big").upload_id(&id).send().await.unwrap_err();
    assert!(message(gone).starts_with("NoSuchUpload"));
}

#[tokio::test]
async fn conditional_requests_copies_and_wrong_checksums() {
    let directory = tempfile::tempdir().unwrap();
    let local = with_bucket(directory.path()).await;
    let put = |body: &'static str| local.s3.put_object().bucket("data").key("k").body(body.as_bytes().to_vec().into());
    put("one").if_none_match("*").send().await.unwrap();
    let second = put("two").if_none_match("*").send().await.unwrap_err();
    assert!(message(second).starts_with("PreconditionFailed"));
    let wrong = put("three").checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").send().await.unwrap_err();
    assert!(message(wrong).starts_with("BadDigest"));
    assert_eq!(body(&local, "k").await, "one");
    local.s3.copy_object().bucket("data").key("copy/ä").copy_source("data/k").send().await.unwrap();
    assert_eq!(body(&local, "copy/ä").await, "one");
    let unknown = local.s3.list_objects_v2().bucket("nowhere").send().await.unwrap_err();
    assert!(message(unknown).starts_with("NoSuchBucket"));
    assert_eq!(std::fs::read_dir(directory.path().join("s3/writing")).unwrap().count(), 0);
}

#[tokio::test]
async fn replication_follows_the_template() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let template = "Resources:
  Archive: {Type: 'AWS::S3::Bucket', Properties: {BucketName: archive, VersioningConfiguration: {Status: Enabled}}}
  Raw:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: raw
      VersioningConfiguration: {Status: Enabled}
      ReplicationConfiguration:
        Role: arn:aws:iam::000000000000:role/replication
        Rules:
          - {Status: Enabled, Priority: 1, Filter: {Prefix: landing/}, DeleteMarkerReplication: {Status: Disabled}, Destination: {Bucket: !GetAtt Archive.Arn}}
";
    assert_eq!(local.deploy("s", template, &[]).await, "CREATE_COMPLETE");
    local.put("raw", "landing/1", b"x").await;
    local.put("raw", "state/1", b"x").await;
    let archive = local.account.bucket_directory("archive");
    std::fs::write(local.account.bucket_directory("raw").join("landing/2"), "by spark").unwrap();
    local.endpoint.stop().await.unwrap();
    let names = |name: &str| archive.join(name).exists();
    assert_eq!((names("landing/1"), names("landing/2"), names("state/1")), (true, true, false));
}
