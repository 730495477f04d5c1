//! IAM in a rehearsal: every call is authorized by the policies of the deployed templates.
//!
//! ```text
//! calls over HTTP (the local account asks)    ─┐
//! COPY and UNLOAD (the warehouse asks)        ├→ Authorizer → iam::Policies → denials, grants used
//! services: what AWS does by itself           │
//! files: what Spark does beside S3           ─┘
//! ```

mod grants;
mod replications;
mod service_calls;
mod spark_files;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::account::{self, Call};
use crate::iam::{Decision, Denial, Policies, Principal, Request};

use crate::redshift::{self, Read, WeakDataApi};
use pipectl_core::resource::Resources;

pub use grants::{Grants, Unused};
pub use service_calls::is_replica;
pub use spark_files::Touched;

/// The session name in the ARN of the owner of a statement.
const OWNER_KEY: &str = "redshift-data:statement";

/// Authorizes calls and records denials and used grants. Clones share their records.
#[derive(Clone)]
pub struct Authorizer(Arc<Inner>);

struct Inner {
    policies: Policies,
    memory: Mutex<Memory>,
    /// Knows whose statement is whose.
    statements: OnceLock<WeakDataApi>,
}

#[derive(Default)]
struct Memory {
    denials: Vec<Denial>,
    /// The grants that a call has used: owner, statement, action.
    used: BTreeSet<(String, usize, usize)>,
    /// All evaluated requests, to be evaluated again with other policies.
    #[cfg(any(test, feature = "testing"))]
    asked: BTreeSet<Request>,
}

impl Authorizer {
    pub fn new(resources: &Resources) -> Self {
        Self::by(Policies::gather(&resources.account, &resources.region, &resources.all))
    }

    fn by(policies: Policies) -> Self {
        Self(Arc::new(Inner { policies, memory: Mutex::default(), statements: OnceLock::new() }))
    }

    /// Sets the service that knows the owners of statements.
    pub fn follow(&self, statements: WeakDataApi) {
        let _ = self.0.statements.set(statements);
    }

    /// Clears all records.
    pub fn begin(&self) {
        *self.memory() = Memory::default();
    }

    /// Authorizes a call: a denial is recorded, and the error has AWS's text.
    pub fn ask(&self, request: &Request) -> Result<(), String> {
        self.evaluate(request).map_err(|denial| {
            let answer = denial.answer(&self.0.policies.account);
            self.remember(*denial);
            answer
        })
    }

    /// Authorizes a call without recording a denial: for callers that report it themselves.
    pub fn evaluate(&self, request: &Request) -> Result<(), Box<Denial>> {
        #[cfg(any(test, feature = "testing"))]
        self.memory().asked.insert(request.clone());
        match self.0.policies.decide(request) {
            Decision::Allowed(grants) => {
                self.memory().used.extend(grants);
                Ok(())
            }
            Decision::Denied(denial) => Err(denial),
        }
    }

    fn remember(&self, denial: Denial) {
        let mut memory = self.memory();
        let same = |known: &Denial| {
            (&known.principal, &known.action, known.layer) == (&denial.principal, &denial.action, denial.layer)
                && known.pattern() == denial.pattern()
        };
        if !memory.denials.iter().any(same) {
            memory.denials.push(denial);
        }
    }

    /// Returns what was denied since the last time, each kind of denial once.
    pub fn take_denials(&self) -> Vec<Denial> {
        std::mem::take(&mut self.memory().denials)
    }

    /// Which grants a call has used, and which none has.
    pub fn grants(&self) -> Grants {
        grants::grants(&self.0.policies, &self.memory().used)
    }

    /// What the local account asks before each call.
    pub fn for_calls(&self) -> account::CallAuthorizer {
        let authorizer = self.clone();
        Arc::new(move |call: &Call| authorizer.request(call).map_or(Ok(()), |request| authorizer.ask(&request)))
    }

    /// What the warehouse asks before a COPY reads or an UNLOAD writes. `default` is the namespace's own role.
    pub fn for_warehouse(&self, default: Option<&str>) -> redshift::ReadAuthorizer {
        let (authorizer, default) = (self.clone(), default.map(str::to_owned));
        Arc::new(move |read: &Read| {
            let Some(role) = read.role.as_deref().or(default.as_deref()) else {
                return Err("the namespace has no default role".to_owned());
            };
            // Redshift Serverless goes by either name.
            let trusted = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
                .into_iter()
                .any(|service| authorizer.evaluate(&Request::of_service(service, "sts:AssumeRole", role)).is_ok());
            if !trusted {
                authorizer.ask(&Request::of_service("redshift.amazonaws.com", "sts:AssumeRole", role))?;
            }
            let bucket = format!("arn:aws:s3:::{}", read.bucket);
            let name = role_name(role);
            let request = if read.action == "s3:ListBucket" {
                Request::of_role(name, read.action, &bucket).with("s3:prefix", &read.key)
            } else {
                Request::of_role(name, read.action, &format!("{bucket}/{}", read.key))
            };
            authorizer.ask(&request)
        })
    }

    /// The call as a request of a role; none for people, whom the templates do not know.
    fn request(&self, call: &Call) -> Option<Request> {
        let name = call.access_key.strip_prefix("ROLE.").unwrap_or(&call.access_key);
        let role = self.0.policies.roles.get(name)?;
        let mut request = Request::of_role(&role.name, &call.action, &call.resource);
        for (key, value) in &call.context {
            match key.as_str() {
                OWNER_KEY => {
                    let owner = self.0.statements.get().and_then(|statements| statements.get()?.caller(value));
                    let owner =
                        owner.map_or_else(|| "unknown".to_owned(), |caller| Policies::user_id(session_of(&caller)));
                    request.context.set("redshift-data:statement-owner-iam-userid", owner);
                }
                "redshift-data:own-statements" => {
                    let owner = Policies::user_id(&role.name);
                    request.context.set("redshift-data:statement-owner-iam-userid", owner);
                }
                "redshift-serverless:workgroup" => {
                    for (tag, value) in self.0.policies.workgroup_tags(value) {
                        request.context.set(&format!("aws:ResourceTag/{tag}"), value);
                    }
                }
                _ => request.context.set(key, value),
            }
        }
        Some(request)
    }

    /// A call that a service makes with a role that it assumes.
    fn assumed(&self, service: &str, role: &str, source: Source<'_>, requests: &[Request]) {
        let mut trust = Request::of_service(service, "sts:AssumeRole", role);
        source.describe(&mut trust);
        if self.ask(&trust).is_err() {
            return;
        }
        for request in requests {
            let mut request = request.clone();
            request.principal = Principal::Role(role_name(role).to_owned());
            let _ = self.ask(&request);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For which resource a service acts.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// None if the service does not report it.
    pub arn: Option<&'a str>,
    pub account: Option<&'a str>,
}

impl Source<'_> {
    pub const UNTOLD: Source<'static> = Source { arn: None, account: None };

    pub fn describe(&self, request: &mut Request) {
        if let Some(arn) = self.arn {
            request.context.set("aws:SourceArn", arn);
        }
        if let Some(account) = self.account {
            request.context.set("aws:SourceAccount", account);
        }
    }
}

/// The name of the role behind an ARN.
pub fn role_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// `arn:aws:sts::123456789012:assumed-role/name/session` → `name`
fn session_of(caller: &str) -> &str {
    caller.split('/').nth(1).unwrap_or(caller)
}

#[cfg(any(test, feature = "testing"))]
pub mod mutation;
#[cfg(test)]
mod tests;
