//! Where a run deploys to: an account and region, with the bucket and the role that it uses there.

use crate::aws::Aws;
use crate::plan::stack_parameters::ParameterValue;
use crate::plan::{AccountRegion, Comparison, Known};
use crate::render::RenderedStack;
use crate::spec::{Map, Spec};

use pipectl_contract::names::Zone;

/// The environment in AWS, with the clients that reach it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) aws: Aws,
    pub(super) environment: String,
    pub(super) account_region: AccountRegion,
    /// The bucket for artifacts and long templates.
    pub(super) bucket: String,
    /// The role that CloudFormation acts as; none in the local account, which does not authorize deploys.
    pub(super) role: Option<String>,
}

impl Target {
    pub(super) fn new(aws: Aws, spec: &Spec, role: Option<String>) -> Self {
        Self {
            environment: spec.environment_name.clone(),
            account_region: AccountRegion { account: aws.account.clone(), region: aws.region.clone() },
            bucket: spec.bucket(Zone::Artifacts),
            role,
            aws,
        }
    }

    /// Compares the desired state of a stack with its deployed state.
    pub(super) fn comparison<'a>(
        &'a self,
        desired: &'a RenderedStack,
        known: Option<&'a Known>,
        parameters: &'a Map<ParameterValue>,
    ) -> Comparison<'a> {
        Comparison { desired, known, parameters, account_region: &self.account_region }
    }
}
