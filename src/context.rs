//! What every command needs: the project, the terminal, and AWS when it is asked for.

use std::path::PathBuf;

use crate::error::Result;
use crate::project::Project;
use crate::spec::Spec;
use crate::ui::Ui;

/// Opened once a run.
#[derive(Debug)]
pub struct Context {
    pub ui: Ui,
    /// The folder that the project is looked for in.
    pub folder: PathBuf,
    /// The environment that was asked for.
    pub environment: String,
}

impl Context {
    /// Takes an environment for what follows.
    pub fn enter(&mut self, environment: String) -> &Self {
        self.environment = environment;
        self
    }

    pub fn project(&self) -> Result<Project> {
        let project = Project::find(&self.folder)?;
        // Earlier versions left it open to other users of the machine.
        pipectl_process::private::close(&project.state())?;
        Ok(project)
    }

    /// The project and its pipeline in the environment that was asked for.
    pub fn spec(&self) -> Result<(Project, Spec)> {
        let project = self.project()?;
        let spec = project.spec(&self.environment)?;
        Ok((project, spec))
    }
}
