//! Artifacts: only what is absent, and only what its key says.

use super::*;

#[tokio::test]
async fn only_missing_artifacts_with_a_matching_digest_are_uploaded() {
    let upload =
        |key: &str, sha256: String| Upload { key: key.into(), content: Content::Bytes(b"abc".to_vec()), sha256 };
    let bucket = format!("shop-dev-artifacts-{ACCOUNT}-us-east-1");
    let fake = Fake::start()
        .await
        .on(&format!("HEAD /{bucket}/there"), Reply::Raw(200, "", String::new()))
        .on(&format!("HEAD /{bucket}/absent"), Reply::Raw(404, "", String::new()))
        .on(&format!("HEAD /{bucket}/wrong"), Reply::Raw(404, "", String::new()))
        .on(&format!("PUT /{bucket}/absent?x-id=PutObject"), Reply::Raw(200, "", String::new()));
    let (_sender, stop) = Stop::controlled();
    let uploads = vec![upload("there", sha256(b"abc")), upload("absent", sha256(b"abc"))];
    let (session, mut steps) = open(&fake, Release { uploads, ..desired() }, stop.clone()).await;
    session.upload_artifacts().await.unwrap();
    assert_eq!(steps.try_recv(), Ok(Step::Uploaded { key: "absent".into(), bytes: 3 }));
    assert_eq!(fake.calls(true), [format!("PUT /{bucket}/absent?x-id=PutObject")]);
    let uploads = vec![upload("wrong", sha256(b"other"))];
    let (session, _steps) = open(&fake, Release { uploads, ..desired() }, stop).await;
    assert!(session.upload_artifacts().await.unwrap_err().to_string().contains("is not the file that was packaged"));
}
