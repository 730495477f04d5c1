//! The artifact bucket: content-addressed, so that what is there is never written again.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::progress::Step;
use super::reporter::Reporter;
use super::target::Target;
use super::{Purpose, Session};
use crate::aws::{Kind, cloudformation};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::plan::stack_parameters::ArtifactKeys;
use crate::render::RenderedStack;
use crate::spec::Map;

/// Something for the artifact bucket.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The key holds the sha256.
    pub key: String,
    pub content: Content,
    /// In hexadecimal.
    pub sha256: String,
}

/// Where the bytes of an upload are.
#[derive(Debug, Clone)]
pub enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// The artifacts that the stacks of a run refer to.
#[derive(Debug)]
pub(super) struct Artifacts {
    pub(super) uploads: Vec<Upload>,
    pub(super) keys: ArtifactKeys,
}

impl Artifacts {
    /// The sha256 of each artifact, by its key.
    pub(super) fn digests(&self) -> Map<String> {
        self.uploads.iter().map(|upload| (upload.key.clone(), upload.sha256.clone())).collect()
    }
}

impl Session {
    /// Uploads what is not in the bucket yet. Fails if a file is not what its key says.
    pub(super) async fn upload_artifacts(self: &Arc<Self>) -> Result<()> {
        let mut tasks = JoinSet::new();
        for upload in self.artifacts.uploads.clone() {
            let session = Arc::clone(self);
            tasks.spawn(async move { store(&session.target, &session.reporter, &upload).await });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok(result) => result?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(())
    }
}

/// Uploads one artifact, if the bucket does not have it.
async fn store(target: &Target, reporter: &Reporter, upload: &Upload) -> Result<()> {
    if target.aws.s3.exists(&target.bucket, &upload.key).await? {
        return Ok(());
    }
    let bytes = match &upload.content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::File(path) => tokio::fs::read(path).await.map_err(|error| {
            Error::new(format!("`{}` cannot be read", path.display())).cause(&error).hint("run `pipectl package`")
        })?,
    };
    if sha256(&bytes) != upload.sha256 {
        return Err(Error::new(format!("`{}` is not the file that was packaged", upload.key))
            .hint("run `pipectl package` again, and nothing else beside it"));
    }
    let size = bytes.len();
    match target.aws.s3.create(&target.bucket, &upload.key, bytes).await {
        Ok(true) => reporter.emit(Step::Uploaded { key: upload.key.clone(), bytes: size }),
        // Another run was faster: the key says that it wrote the same bytes.
        Ok(false) => {}
        Err(failure) if failure.kind == Kind::NoSuchBucket => {
            return Err(Error::new(format!("the artifact bucket `{}` does not exist", target.bucket))
                .hint(format!("run `pipectl bootstrap --env {}`", target.environment)));
        }
        Err(failure) => return Err(failure.into()),
    }
    Ok(())
}

/// Where CloudFormation finds the template of a stack: in the request, or uploaded by its sha256 if it is too long.
pub(super) async fn template_source(
    target: &Target,
    reporter: &Reporter,
    desired: &RenderedStack,
    purpose: Purpose,
) -> Result<cloudformation::TemplateSource> {
    if desired.text.len() <= cloudformation::LONGEST_TEMPLATE_BODY {
        return Ok(cloudformation::TemplateSource::Body(desired.text.clone()));
    }
    let bytes = desired.text.clone().into_bytes();
    let sha256 = sha256(&bytes);
    let key = purpose.template_key(&desired.name, &sha256);
    store(target, reporter, &Upload { key: key.clone(), content: Content::Bytes(bytes), sha256 }).await?;
    Ok(cloudformation::TemplateSource::Url(target.aws.object_url(&target.bucket, &key)))
}
