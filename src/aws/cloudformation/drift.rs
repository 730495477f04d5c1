//! Drift: what was changed in the account since CloudFormation deployed it.

use aws_sdk_cloudformation as sdk;

use super::{CloudFormation, text};
use crate::aws::error::{Failure, Kind};
use crate::plan::drift::{DriftStatus, LiveResource};

/// How far the detection of a stack's drift has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    Running,
    Done,
    /// Not all resources could be read; of the others there are results.
    Failed(String),
}

impl CloudFormation {
    /// Starts the detection of a stack's drift and returns its id; none if another one is under way.
    pub async fn detect_drift(&self, stack: &str) -> Result<Option<String>, Failure> {
        match self.0.detect_stack_drift().stack_name(stack).send().await {
            Ok(started) => Ok(started.stack_drift_detection_id),
            Err(error) => match Failure::new("DetectStackDrift", &error) {
                failure if failure.message.contains("already in progress") => Ok(None),
                failure => Err(failure),
            },
        }
    }

    /// How far a detection has come.
    pub async fn drift_detection(&self, id: &str) -> Result<Detection, Failure> {
        let asked = self.0.describe_stack_drift_detection_status().stack_drift_detection_id(id).send().await;
        let asked = asked.map_err(|error| Failure::new("DescribeStackDriftDetectionStatus", &error))?;
        Ok(match asked.detection_status().map(sdk::types::StackDriftDetectionStatus::as_str) {
            Some("DETECTION_COMPLETE") => Detection::Done,
            Some("DETECTION_FAILED") => Detection::Failed(text(asked.detection_status_reason())),
            _ => Detection::Running,
        })
    }

    /// What the last detection found, all pages of it. A resource whose type CloudFormation cannot compare is not among
    /// them.
    pub async fn drifts(&self, stack: &str) -> Result<Vec<LiveResource>, Failure> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = self.0.describe_stack_resource_drifts().stack_name(stack).set_next_token(token).send().await;
            let page = match page {
                Ok(page) => page,
                Err(error) => match Failure::new("DescribeStackResourceDrifts", &error) {
                    Failure { kind: Kind::NoSuchStack, .. } => return Ok(found),
                    failure => return Err(failure),
                },
            };
            found.extend(page.stack_resource_drifts().iter().map(live));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(found),
            }
        }
    }
}

fn live(found: &sdk::types::StackResourceDrift) -> LiveResource {
    let json = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok());
    let status = found.stack_resource_drift_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    LiveResource {
        logical_id: text(found.logical_resource_id()),
        physical_id: text(found.physical_resource_id()),
        resource_type: text(found.resource_type()),
        status: DriftStatus::from(status.as_str()),
        reason: found.drift_status_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
        differences: found
            .property_differences()
            .iter()
            .map(|one| (text(one.property_path()), one.expected_value().map(value), one.actual_value().map(value)))
            .collect(),
        expected: json(found.expected_properties()),
        actual: json(found.actual_properties()),
    }
}

/// CloudFormation writes lists and objects as JSON text, and `null` for what is not there.
fn value(text: &str) -> serde_json::Value {
    match serde_json::from_str(text) {
        Ok(value @ (serde_json::Value::Array(_) | serde_json::Value::Object(_) | serde_json::Value::Null)) => value,
        _ => text.into(),
    }
}
