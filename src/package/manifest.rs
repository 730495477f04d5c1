//! What was built last, and from what.

use std::path::Path;

use pipectl_contract::keys;
use serde::{Deserialize, Serialize};

use super::{Artifact, Kind, write_if_changed};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::{files, limits, project};

/// The version of the manifest; another one is ignored.
const VERSION: u32 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    pub(super) lambda: Part,
    /// From the project's own workspace.
    #[serde(default)]
    pub(super) own: Part,
    pub(super) glue: Part,
}

/// What was made from one set of inputs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) digest: String,
    pub(super) artifacts: Vec<Built>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Built {
    kind: Kind,
    name: String,
    sha256: String,
    size: u64,
    /// The bytes, right after the build.
    #[serde(skip)]
    bytes: Option<Vec<u8>>,
}

impl Manifest {
    /// Reads the manifest. One that is missing or unreadable only means that everything is built again.
    pub(super) fn read(folder: &Path) -> Self {
        let bytes = files::read(&folder.join("manifest.json"), limits::MANIFEST_BYTES).unwrap_or_default();
        let sound = |manifest: &Self| manifest.version == VERSION && manifest.built().all(Built::is_sound);
        serde_json::from_slice(&bytes).ok().filter(sound).unwrap_or_default()
    }

    pub(super) fn write(&mut self, folder: &Path) -> Result<()> {
        self.version = VERSION;
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| Error::new("cannot write the manifest").cause(&error))?;
        project::write(&folder.join("manifest.json"), &text)
    }

    fn built(&self) -> impl Iterator<Item = &Built> {
        self.lambda.artifacts.iter().chain(&self.own.artifacts).chain(&self.glue.artifacts)
    }

    pub(super) fn artifacts(&self, folder: &Path) -> impl Iterator<Item = Artifact> {
        self.built().map(|built| Artifact {
            kind: built.kind,
            name: built.name.clone(),
            key: built.key(),
            path: folder.join(built.key()),
            sha256: built.sha256.clone(),
            size: built.size,
        })
    }
}

impl Part {
    /// True when it was made from inputs with this digest, and all of it is still there, byte for byte.
    pub(super) fn is_current(&self, folder: &Path, digest: &str) -> bool {
        let whole = |built: &Built| {
            files::read(&folder.join(built.key()), limits::ARTIFACT_BYTES)
                .is_ok_and(|bytes| bytes.len() as u64 == built.size && sha256(&bytes) == built.sha256)
        };
        self.digest == digest && self.artifacts.iter().all(whole)
    }

    /// Writes the artifacts; each appears whole or not at all.
    pub(super) fn store(&self, folder: &Path) -> Result<()> {
        let fresh = |built: &Built| match &built.bytes {
            Some(bytes) => write_if_changed(&folder.join(built.key()), bytes),
            None => Ok(()),
        };
        self.artifacts.iter().try_for_each(fresh)
    }
}

impl Built {
    pub(super) fn new(kind: Kind, name: &str, bytes: Vec<u8>) -> Self {
        Self { kind, name: name.to_owned(), sha256: sha256(&bytes), size: bytes.len() as u64, bytes: Some(bytes) }
    }

    /// Whether its name and digest can be parts of a path and of an object's key.
    fn is_sound(&self) -> bool {
        keys::is_id(&self.name) && self.sha256.len() == 64 && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn key(&self) -> String {
        let (folder, ending) = match self.kind {
            Kind::Lambda => ("lambda", "zip"),
            Kind::Job => ("glue", "py"),
            Kind::Library => ("glue", "zip"),
        };
        format!("{folder}/{}-{}.{ending}", self.name, self.sha256)
    }
}
