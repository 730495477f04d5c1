//! The artifact bucket: content-addressed, so that what is there is never written again.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::progress::Step;
use super::{Purpose, Session};
use crate::aws::{Kind, cloudformation};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::render::RenderedStack;

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

impl Session {
    /// Uploads what is not in the bucket yet. Fails if a file is not what its key says.
    pub(super) async fn upload_artifacts(self: &Arc<Self>) -> Result<()> {
        let mut tasks = JoinSet::new();
        for upload in self.uploads.clone() {
            let session = Arc::clone(self);
            tasks.spawn(async move { session.upload(&upload).await });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok(result) => result?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(())
    }

    async fn upload(&self, upload: &Upload) -> Result<()> {
        if self.aws.s3.exists(&self.bucket, &upload.key).await? {
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
        match self.aws.s3.create(&self.bucket, &upload.key, bytes).await {
            Ok(true) => self.emit(Step::Uploaded { key: upload.key.clone(), bytes: size }),
            // Another run was faster: the key says that it wrote the same bytes.
            Ok(false) => {}
            Err(failure) if failure.kind == Kind::NoSuchBucket => {
                return Err(Error::new(format!("the artifact bucket `{}` does not exist", self.bucket))
                    .hint(format!("run `pipectl bootstrap --env {}`", self.environment)));
            }
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }

    /// Where CloudFormation finds the template of a stack: in the request, or uploaded by its sha256 if it is too long.
    pub(super) async fn template_source(
        &self,
        desired: &RenderedStack,
        purpose: Purpose,
    ) -> Result<cloudformation::TemplateSource> {
        if desired.text.len() <= cloudformation::LONGEST_TEMPLATE_BODY {
            return Ok(cloudformation::TemplateSource::Body(desired.text.clone()));
        }
        let bytes = desired.text.clone().into_bytes();
        let sha256 = sha256(&bytes);
        let key = purpose.template_key(&desired.name, &sha256);
        self.upload(&Upload { key: key.clone(), content: Content::Bytes(bytes), sha256 }).await?;
        Ok(cloudformation::TemplateSource::Url(self.aws.object_url(&self.bucket, &key)))
    }
}
