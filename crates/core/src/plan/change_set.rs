//! A change set, as CloudFormation describes it. Names of actions and the like are kept as they came, so that one that
//! does not exist yet is shown and not lost.

use serde_json::Value;

/// What a change set would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChangeSet {
    pub id: String,
    pub stack_id: String,
    pub status: String,
    pub status_reason: Option<String>,
    pub execution_status: Option<String>,
    pub changes: Vec<Change>,
    /// The types of changes that are not of a resource: CloudFormation has none yet.
    pub others: Vec<String>,
}

/// What would happen to one resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`, `SyncWithActual`, …
    pub action: String,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    /// `True`, `False`, `Conditional` or none. Only a `Modify` is a replacement.
    pub replacement: Option<String>,
    /// `Delete`, `Retain`, `ReplaceAndDelete`, …
    pub policy_action: Option<String>,
    pub details: Vec<Detail>,
    /// The resource before, with its `Properties` and other attributes.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// `IN_SYNC`, `MODIFIED`, `DELETED`, … Only in a drift-aware change set.
    pub drift_status: Option<String>,
    /// The resource as it was deployed, if it has drifted. Only in a drift-aware change set; its
    /// `before` is what is there.
    pub previous: Option<Value>,
}

/// Why and where one attribute of a resource changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detail {
    /// `Properties`, `Metadata`, `Tags`, `DeletionPolicy`, …
    pub attribute: String,
    /// The name of the property, if the attribute is `Properties`.
    pub name: Option<String>,
    /// A JSON pointer from the resource, such as `/Properties/Tags/0/Value`.
    pub path: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
    /// `Add`, `Modify`, `Remove`, …
    pub change_type: Option<String>,
    /// `Never`, `Conditionally` or `Always`.
    pub requires_recreation: Option<String>,
    /// `DirectModification`, `ParameterReference`, `ResourceAttribute`, …
    pub source: Option<String>,
    /// What brings the change about, such as `Topic1.TopicName`.
    pub cause: Option<String>,
    /// The deployed value and the live value. Only in a drift-aware change set.
    pub drift: Option<(Option<String>, Option<String>)>,
}

/// How far the making of a change set has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    Pending,
    Ready,
    /// It would change nothing. CloudFormation calls that a failure.
    Empty,
    Failed(String),
}

const EMPTY: [&str; 2] = ["The submitted information didn't contain changes", "No updates are to be performed"];

impl ChangeSet {
    /// How far it has come. Its status shows whether it is empty, never its list: a change of outputs alone
    /// lists no resource.
    pub fn progress(&self) -> Progress {
        match self.status.as_str() {
            "CREATE_COMPLETE" => Progress::Ready,
            "FAILED" | "DELETE_COMPLETE" | "DELETE_FAILED" => {
                let reason = self.status_reason.clone().unwrap_or_default();
                // Some answers have a curved apostrophe.
                let plain = reason.replace('\u{2019}', "'");
                if EMPTY.iter().any(|start| plain.trim_start().starts_with(start)) {
                    Progress::Empty
                } else {
                    Progress::Failed(reason)
                }
            }
            _ => Progress::Pending,
        }
    }

    /// Whether CloudFormation says that it left resources out because their values were asked for.
    pub fn incomplete(&self) -> bool {
        self.status_reason.as_deref().is_some_and(|reason| {
            reason.contains("[WARN] --include-property-values option can return incomplete ChangeSet data")
        })
    }

    /// Adds the resources and details of the same change set, described without values, that this one lacks.
    pub fn complete(&mut self, without_values: Self) {
        for other in without_values.changes {
            match self.changes.iter_mut().find(|change| change.logical_id == other.logical_id) {
                None => self.changes.push(other),
                Some(change) => {
                    for detail in other.details {
                        if !change.details.iter().any(|known| known.same_path(&detail)) {
                            change.details.push(detail);
                        }
                    }
                }
            }
        }
    }
}

impl Detail {
    fn same_path(&self, other: &Self) -> bool {
        (&self.attribute, &self.name, &self.source, &self.cause)
            == (&other.attribute, &other.name, &other.source, &other.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_change_set_is_recognized_by_its_reason() {
        for (status, reason, expected) in [
            ("CREATE_PENDING", "", Progress::Pending),
            ("CREATE_IN_PROGRESS", "", Progress::Pending),
            ("CREATE_COMPLETE", "", Progress::Ready),
            (
                "FAILED",
                "The submitted information didn't contain changes. Submit different information to create a change set.",
                Progress::Empty,
            ),
            ("FAILED", "The submitted information didn\u{2019}t contain changes.", Progress::Empty),
            ("FAILED", "No updates are to be performed.", Progress::Empty),
            ("FAILED", "Transform failed", Progress::Failed("Transform failed".into())),
        ] {
            let set = ChangeSet { status: status.into(), status_reason: Some(reason.into()), ..ChangeSet::default() };
            assert_eq!(set.progress(), expected, "{status} {reason}");
        }
    }

    #[test]
    fn omitted_fields_are_filled_in() {
        let detail = |name: &str, after: Option<&str>| Detail {
            attribute: "Properties".into(),
            name: Some(name.into()),
            after: after.map(Into::into),
            ..Detail::default()
        };
        let change = |id: &str, details| Change { logical_id: id.into(), details, ..Change::default() };
        let mut set = ChangeSet { changes: vec![change("A", vec![detail("X", Some("1"))])], ..ChangeSet::default() };
        set.complete(ChangeSet {
            changes: vec![change("A", vec![detail("X", None), detail("Y", None)]), change("B", vec![])],
            ..ChangeSet::default()
        });
        assert_eq!(set.changes, [change("A", vec![detail("X", Some("1")), detail("Y", None)]), change("B", vec![])]);
    }
}
