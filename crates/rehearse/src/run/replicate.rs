//! The part of a run in which databases are followed: a full load at the start, and changes after each step.

use std::time::{Duration, Instant};

use super::Run;
use crate::changed_objects::Folders;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::timeline::{Kind, Severity};
use pipectl_emulator::dms::File;

impl Run<'_> {
    /// Copies the tables of each database that is followed. One whose replication nobody has started is not.
    pub(super) async fn start_replications(&mut self) -> Result<()> {
        let names: Vec<String> = self.pipeline.replications.keys().cloned().collect();
        for name in names {
            let Some(mut replication) = self.pipeline.replications.remove(&name) else { continue };
            let configuration = replication.configuration();
            if !configuration.started {
                let text = format!(
                    "the replication `{}` is deployed, but not started: nothing of `{name}` arrives\n\
                     `pipectl deploy` starts it",
                    configuration.name
                );
                self.timeline.find(Severity::Error, text);
                continue;
            }
            self.pipeline.authorizer.replication_ran(&self.pipeline.resources, configuration);
            (self.status)(&format!("copying {name}"));
            let began = Instant::now();
            if let Some(server) = self.pipeline.databases.get(&name) {
                match replication.full_load(server).await {
                    Ok(files) => self.landed(&files, began.elapsed()),
                    Err(error) => {
                        let note = "nothing of it has landed, and its changes are not followed in this rehearsal; on AWS DMS \
                                    begins the copy of an unfinished table again";
                        self.broke_off(&name, error, note)?;
                        continue;
                    }
                }
            }
            self.pipeline.replications.insert(name, replication);
        }
        self.note_databases_left_out();
        Ok(())
    }

    /// Lets what has changed in the databases arrive.
    pub(super) async fn follow_databases(&mut self) -> Result<()> {
        let names: Vec<String> = self.pipeline.replications.keys().cloned().collect();
        for name in names {
            let Some(mut replication) = self.pipeline.replications.remove(&name) else { continue };
            (self.status)(&format!("following {name}"));
            let began = Instant::now();
            let before = replication.findings().clone();
            match replication.changes().await {
                Ok(files) => self.landed(&files, began.elapsed()),
                Err(error) => {
                    let note = "nothing of what has changed since the last file has landed; the next reading begins after \
                                that file, as that of DMS does";
                    self.broke_off(&name, error, note)?;
                }
            }
            for finding in replication.findings().difference(&before) {
                self.timeline.find(Severity::Warning, finding.clone());
            }
            self.pipeline.replications.insert(name, replication);
        }
        Ok(())
    }

    /// A database could not be read to the end: the others go on. What is wrong in the project ends the rehearsal.
    fn broke_off(&mut self, source: &str, error: Error, note: &str) -> Result<()> {
        if error.exit_code() == Exit::Project {
            return Err(error);
        }
        let mut error = error.note(note);
        if error.hints().is_empty() {
            error = error.hint("check the database's log for the cause, and rehearse again");
        }
        self.gone(source, &error);
        Ok(())
    }

    /// Finds fault with the database of a source.
    pub(super) fn gone(&mut self, source: &str, error: &Error) {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        self.timeline.find(Severity::Error, format!("the source `{source}`: {text}"));
    }

    fn landed(&mut self, files: &[File], took: Duration) {
        // One span for all of them: they were written side by side.
        for (index, file) in files.iter().enumerate() {
            let took = if index == 0 { took } else { Duration::ZERO };
            let rows = if file.rows == 1 { "1 row".to_owned() } else { format!("{} rows", file.rows) };
            self.timeline.ended(Kind::File, &file.key, rows, took, false);
        }
        self.listen();
        self.folders = Folders::look(&self.pipeline.buckets);
    }

    /// Says which databases are followed on AWS and not here.
    fn note_databases_left_out(&mut self) {
        let followed: Vec<String> = self
            .pipeline
            .resources
            .of("AWS::DMS::ReplicationConfig")
            .filter_map(|resource| resource.text("/ReplicationConfigIdentifier"))
            .map(str::to_owned)
            .collect();
        for name in followed {
            let source = name.rsplit_once('-').map_or(name.as_str(), |(_, source)| source);
            let is_open = |(_, replication): (&String, &pipectl_emulator::dms::Replication)| {
                replication.configuration().name == name
            };
            if self.pipeline.replications.iter().any(is_open) || self.pipeline.databases.get(source).is_some() {
                continue;
            }
            match self.pipeline.databases.left_out.iter().find(|(left, _)| name.ends_with(&format!("-{left}"))) {
                Some((left, why)) => {
                    let text = format!("the source `{left}` was skipped\n{why}");
                    self.timeline.find(Severity::Warning, text);
                }
                None => {
                    let text = format!(
                        "the replication `{name}` was skipped: its database has no data here\n\
                         to include it, pass its data: --data SOURCE=DIR"
                    );
                    self.timeline.find(Severity::Note, text);
                }
            }
        }
    }
}
