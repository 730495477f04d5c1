//! Databases as sources: a real server for each that has data here, private to the rehearsal.
//!
//! ```text
//! mod (which sources, their steps) → folder (what is in DIR)   server (a process, its folder, its end)
//!                                  → postgresql, mysql          how each is made, started and spoken to
//! ```
//!
//! A server listens on loopback, on its own port, and loses everything after the rehearsal: its data is created again
//! from the folder each time.

pub mod folder;
mod mysql;
mod postgresql;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::spec::{Capture, Engine, Spec};

pub use folder::{Folder, check};
pub use server::{Credentials, Server};

/// The databases of a rehearsal, by the name of their source.
#[derive(Debug, Default)]
pub struct Databases {
    open: BTreeMap<String, Open>,
    /// Sources whose server is missing on this machine, and how to get it.
    pub left_out: Vec<(String, Error)>,
}

/// A server with the data of its folder, and what is still to come.
#[derive(Debug)]
struct Open {
    server: Server,
    folder: Folder,
}

impl Databases {
    /// Starts a server for each database source that has a folder, and loads the folder into it.
    ///
    /// `state` is where pipectl keeps what it makes; `environment` a Python virtual environment that may hold a server.
    pub async fn open(
        spec: &Spec,
        folders: &BTreeMap<String, PathBuf>,
        state: &Path,
        environment: Option<&Path>,
    ) -> Result<Self> {
        let home = state.join("databases");
        server::end_leftovers(&home)?;
        let mut databases = Self::default();
        for (name, source) in &spec.pipeline.sources {
            let (Some((engine, database)), Some(folder)) = (source.database(), folders.get(name)) else { continue };
            let config = server::ServerConfig {
                engine,
                directory: home.join(name),
                database: database.database.clone(),
                schema: database.schema(engine).to_owned(),
                logged: database.capture == Capture::Cdc,
            };
            let server = match Server::start(config, environment).await {
                Ok(server) => server,
                Err(server::Trouble::Missing(error)) => {
                    databases.left_out.push((name.clone(), error));
                    continue;
                }
                Err(server::Trouble::Other(error)) => return Err(error),
            };
            let folder = Folder::read(folder)?;
            server.load(&folder).await?;
            databases.open.insert(name.clone(), Open { server, folder });
        }
        Ok(databases)
    }

    /// The server of a source.
    pub fn get(&self, source: &str) -> Option<&Server> {
        self.open.get(source).map(|open| &open.server)
    }

    /// All servers by their source.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Server)> {
        self.open.iter().map(|(name, open)| (name.as_str(), &open.server))
    }

    /// How many steps of changes there are.
    pub fn steps(&self) -> usize {
        self.open.values().map(|open| open.folder.changes.len()).max().unwrap_or(0)
    }

    /// Makes the changes of a step. A server that has gone away keeps the others from nothing.
    pub async fn change(&self, step: usize) -> Result<Changed> {
        let mut changed = Changed::default();
        for (name, open) in &self.open {
            let Some(file) = open.folder.changes.get(step) else { continue };
            match open.server.run_file(file).await {
                Ok(()) => changed.made.push((name.clone(), file.clone())),
                Err(error) => match open.server.gone().await {
                    Some(gone) => changed.gone.push((name.clone(), gone)),
                    None => return Err(error),
                },
            }
        }
        Ok(changed)
    }
}

/// What came of a step of changes.
#[derive(Debug, Default)]
pub struct Changed {
    /// The sources whose step has happened, and its file.
    pub made: Vec<(String, PathBuf)>,
    /// The sources whose server stopped.
    pub gone: Vec<(String, Error)>,
}

/// Says whether a server for this engine is on this machine, and if not, how to get one.
pub fn available(engine: Engine, environment: Option<&Path>) -> Result<()> {
    match engine {
        Engine::Mysql => mysql::find().map(drop),
        Engine::Postgresql => postgresql::find(environment).map(drop),
    }
}

#[cfg(test)]
mod replication_tests;
#[cfg(test)]
mod tests;
