//! How results are printed: for people, or as JSON for programs.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::ui::Ui;

/// The forms that every command with results has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    /// Writes a result in this form.
    pub(crate) fn print(self, ui: &Ui, result: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self {
            Self::Text => ui.data(text()),
            Self::Json => {
                let json = serde_json::to_string_pretty(result)
                    .map_err(|error| Error::new("the result cannot be written as JSON").cause(&error))?;
                ui.data(format_args!("{json}\n"))
            }
        }
    }
}
