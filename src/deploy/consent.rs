//! What a deploy may destroy: nothing, unless it was named.

use crate::error::{Error, Result};
use crate::plan::Loss;

/// The losses of data that were agreed to.
#[derive(Debug, Clone)]
pub enum Consent {
    /// These alone, each as `stack/LogicalId`.
    To(Vec<String>),
    /// All: for an account that only rehearses.
    ToAll,
}

impl Consent {
    /// Fails if something would be lost that nobody agreed to, and names all of it.
    pub fn check(&self, losses: &[Loss], environment: &str) -> Result<()> {
        let Self::To(agreed) = self else { return Ok(()) };
        let refused: Vec<&Loss> = losses.iter().filter(|loss| !agreed.contains(&loss.address())).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let error = Error::new("this deploy would destroy data, so it was not started");
        let error = refused.iter().fold(error, |error, loss| error.note(loss.to_string()));
        let flags: Vec<String> = agreed
            .iter()
            .cloned()
            .chain(refused.iter().map(|loss| loss.address()))
            .map(|address| format!("--allow-data-loss {address}"))
            .collect();
        Err(error.hint(format!("if that is intended: `pipectl deploy --env {environment} {}`", flags.join(" "))).hint(
            "to keep the data, give the resource `DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain` and deploy that first",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(id: &str) -> Loss {
        Loss {
            stack: "storage".into(),
            logical_id: id.into(),
            resource_type: "AWS::S3::Bucket".into(),
            physical_id: None,
            certain: true,
            holds: "all objects in it".into(),
            remark: None,
        }
    }

    #[test]
    fn all_losses_without_consent_are_reported_at_once() {
        let losses = [loss("Raw"), loss("Cleaned"), loss("Old")];
        let consent = Consent::To(vec!["storage/Old".into()]);
        insta::assert_snapshot!(consent.check(&losses, "dev").unwrap_err(), @r"
        error: this deploy would destroy data, so it was not started
        = note: storage/Raw loses all objects in it
        = note: storage/Cleaned loses all objects in it
        = hint: if that is intended: `pipectl deploy --env dev --allow-data-loss storage/Old --allow-data-loss storage/Raw --allow-data-loss storage/Cleaned`
        = hint: to keep the data, give the resource `DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain` and deploy that first
        ");
        assert!(consent.check(&losses[2..], "dev").is_ok());
        assert!(Consent::ToAll.check(&losses, "dev").is_ok());
    }
}
