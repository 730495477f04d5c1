//! The decision: IAM's evaluation logic within one account.

use super::closest_statement::{Miss, nearest};
use super::denial::{Denial, Layer};
use super::document::{Effect, Statement};
use super::gather::{Owned, Policies, Role};
use super::request::{Context, Principal, Request};

/// What IAM would answer.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The grants that let it through: the name of the role or the ARN of the resource whose policy it is, the number
    /// of the statement, and the number of the action in it.
    Allowed(Vec<(String, usize, usize)>),
    Denied(Box<Denial>),
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) => Some(denial),
            Self::Allowed(_) => None,
        }
    }
}

/// How a resource's policy speaks to a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    /// To it by name, or to everybody: this alone is enough.
    Itself,
    /// To its session: this alone is enough, and no boundary limits it.
    Session,
    /// To its account, which leaves it to the identity's own policies.
    Account,
    Nobody,
}

impl Policies {
    /// Decides about a call.
    pub fn decide(&self, request: &Request) -> Decision {
        let assumes = request.action.to_lowercase().starts_with("sts:assumerole");
        let trusting = self.roles.values().find(|role| assumes && role.arn == request.resource);
        let of_role = trusting.map(|role| Owned { statements: role.trust.clone(), node: role.node.clone() });
        let owned = of_role.as_ref().or_else(|| self.owned(&request.resource));
        match &request.principal {
            Principal::Role(name) => match self.roles.get(name) {
                Some(role) => self.of_role(role, request, owned, trusting),
                None => denied(request, Layer::NoRole, format!("there is no role `{name}`"), None, String::new()),
            },
            Principal::Service(_) => self.of_service(request, owned, trusting),
        }
    }

    fn of_role(&self, role: &Role, request: &Request, owned: Option<&Owned>, trusting: Option<&Role>) -> Decision {
        let context = self.context(request, Some(role));
        let applies = |statement: &Statement| statement.applies(&request.action, &request.resource, &context);
        let resource_statements = owned.map_or(&[][..], |owned| owned.statements.as_slice());
        let boundary = role.boundary.as_ref();
        let layers = [
            (role.statements.as_slice(), "a policy of the role"),
            (boundary.map_or(&[][..], |boundary| &boundary.statements), "its boundary"),
            (resource_statements, "the policy of the resource"),
        ];
        for (statements, whose) in layers {
            let denies = |statement: &&Statement| {
                statement.effect == Effect::Deny
                    && applies(statement).is_some()
                    && (statement.principals.is_none() || self.addressed(statement, role) != Address::Nobody)
            };
            if let Some(statement) = statements.iter().find(denies) {
                let why = format!("{} of {whose} denies it", statement.name());
                let fix = "narrow what this statement denies, or do not make the call".to_owned();
                return denied(request, Layer::ExplicitDeny, why, statement.span_of(&[]), fix);
            }
        }
        let allowing = |statements: &[Statement]| -> Vec<(usize, usize)> {
            let allows = statements.iter().enumerate().filter(|(_, one)| one.effect == Effect::Allow);
            allows.filter_map(|(index, statement)| Some((index, applies(statement)?))).collect()
        };
        let name = |owner: &str, found: &[(usize, usize)]| -> Vec<(String, usize, usize)> {
            found.iter().map(|(statement, action)| (owner.to_owned(), *statement, *action)).collect()
        };
        let own = allowing(&role.statements);
        let mut by_resource: Vec<((usize, usize), Address)> = allowing(resource_statements)
            .into_iter()
            .map(|found| (found, self.addressed(&resource_statements[found.0], role)))
            .collect();
        by_resource.retain(|(_, address)| *address != Address::Nobody);
        let owner = trusting.map_or_else(|| base(&request.resource), |role| format!("trust of {}", role.name));
        let resource_grants = || name(&owner, &by_resource.iter().map(|(found, _)| *found).collect::<Vec<_>>());
        if by_resource.iter().any(|(_, address)| *address == Address::Session) {
            return Decision::Allowed(resource_grants());
        }
        let direct = by_resource.iter().any(|(_, address)| *address == Address::Itself);
        // A role can be assumed only by a principal that it trusts.
        if let Some(trusting) = trusting
            && by_resource.is_empty()
        {
            return untrusted(request, trusting, &context, role.arn.as_str());
        }
        if own.is_empty() && !direct {
            return unallowed(role, request, &context);
        }
        if let Some(boundary) = boundary
            && allowing(&boundary.statements).is_empty()
        {
            let miss = nearest(&boundary.statements, request, &context, |_| true);
            let whole = || Some(boundary.node.as_ref()?.span_of(["Properties", "PolicyDocument", "Statement"]));
            let (why, span, fix) = explain(miss, request, &context, whole);
            let why = format!("its boundary `{}` does not allow it: {why}", boundary.name);
            return denied(request, Layer::Boundary, why, span, fix);
        }
        let mut grants = name(&role.name, &own);
        grants.extend(resource_grants());
        Decision::Allowed(grants)
    }

    fn of_service(&self, request: &Request, owned: Option<&Owned>, trusting: Option<&Role>) -> Decision {
        let context = self.context(request, None);
        let Some(owned) = owned else {
            let why = format!("`{}` has no policy that lets {} in", short(&request.resource), request.principal.name());
            let fix = format!("add a policy of the resource: {}", self.service_statement(request));
            return denied(request, Layer::Resource, why, None, fix);
        };
        let service = request.principal.name();
        let speaks = |statement: &Statement| addresses_service(statement, service);
        let applies = |statement: &Statement| {
            if speaks(statement) { statement.applies(&request.action, &request.resource, &context) } else { None }
        };
        if let Some(statement) =
            owned.statements.iter().find(|one| one.effect == Effect::Deny && applies(one).is_some())
        {
            let why = format!("{} of the policy of the resource denies it", statement.name());
            let fix = "narrow what this statement denies".to_owned();
            return denied(request, Layer::ExplicitDeny, why, statement.span_of(&[]), fix);
        }
        let allows = owned.statements.iter().enumerate().filter(|(_, one)| one.effect == Effect::Allow);
        let found: Vec<(usize, usize)> =
            allows.filter_map(|(index, statement)| Some((index, applies(statement)?))).collect();
        if found.is_empty() {
            if let Some(role) = trusting {
                return untrusted(request, role, &context, service);
            }
            let miss = nearest(&owned.statements, request, &context, speaks);
            let whole = || Some(owned.node.as_ref()?.span_of(["Properties", "PolicyDocument", "Statement"]));
            let (why, span, fix) = explain(miss, request, &context, whole);
            let why = format!("the policy of `{}` does not let it in: {why}", short(&request.resource));
            return denied(request, Layer::Resource, why, span, fix);
        }
        let owner = trusting.map_or_else(|| base(&request.resource), |role| format!("trust of {}", role.name));
        Decision::Allowed(found.into_iter().map(|(statement, action)| (owner.clone(), statement, action)).collect())
    }

    /// The circumstances that every call has.
    fn context(&self, request: &Request, role: Option<&Role>) -> Context {
        let mut context = request.context.clone();
        context.fill("aws:SecureTransport", "true");
        context.fill("aws:RequestedRegion", self.region.as_str());
        context.fill("aws:ResourceAccount", self.account.as_str());
        let Some(role) = role else {
            context.fill("aws:PrincipalIsAWSService", "true");
            context.fill("aws:PrincipalServiceName", request.principal.name());
            return context;
        };
        context.fill("aws:PrincipalIsAWSService", "false");
        context.fill("aws:ViaAWSService", "false");
        context.fill("aws:PrincipalArn", role.arn.as_str());
        context.fill("aws:PrincipalAccount", self.account.as_str());
        context.fill("aws:PrincipalType", "AssumedRole");
        context.fill("aws:userid", user_id(&role.name));
        for (key, value) in &role.tags {
            context.fill(&format!("aws:PrincipalTag/{key}"), value.as_str());
        }
        context
    }

    /// How a statement of a resource's policy speaks to a role.
    fn addressed(&self, statement: &Statement, role: &Role) -> Address {
        let Some(principals) = &statement.principals else { return Address::Nobody };
        let root = format!("arn:aws:iam::{}:root", self.account);
        let session = format!("arn:aws:sts::{}:assumed-role/{}/", self.account, role.name);
        let each = principals.names.iter().map(|(kind, name)| match kind.as_str() {
            "*" => Address::Itself,
            "AWS" if *name == role.arn => Address::Itself,
            "AWS" if *name == self.account || *name == root => Address::Account,
            "AWS" if name.starts_with(&session) => Address::Session,
            _ => Address::Nobody,
        });
        let best = [Address::Session, Address::Itself, Address::Account];
        let found = best.into_iter().find(|expected| each.clone().any(|address| address == *expected));
        match (principals.not, found) {
            (false, found) => found.unwrap_or(Address::Nobody),
            (true, None) => Address::Itself,
            (true, Some(_)) => Address::Nobody,
        }
    }

    fn service_statement(&self, request: &Request) -> String {
        let source = request.context.first("aws:SourceArn");
        let condition = match source {
            Some(arn) => format!(", Condition: {{ArnEquals: {{\"aws:SourceArn\": \"{arn}\"}}}}"),
            None => format!(", Condition: {{StringEquals: {{\"aws:SourceAccount\": \"{}\"}}}}", self.account),
        };
        format!(
            "{{Effect: Allow, Principal: {{Service: {}}}, Action: \"{}\", Resource: \"{}\"{condition}}}",
            request.principal.name(),
            request.action,
            request.resource
        )
    }

    /// The id that the session of a role has, as far as a rehearsal can know it.
    pub fn user_id(role: &str) -> String {
        user_id(role)
    }
}

fn user_id(role: &str) -> String {
    format!("AROA{}:{role}", crate::digest::sha256(role)[..17].to_uppercase())
}

fn addresses_service(statement: &Statement, service: &str) -> bool {
    let Some(principals) = &statement.principals else { return false };
    let named = principals
        .names
        .iter()
        .any(|(kind, name)| kind == "*" || kind == "Service" && (name == service || name == "*"));
    named != principals.not
}

fn unallowed(role: &Role, request: &Request, context: &Context) -> Decision {
    let miss = nearest(&role.statements, request, context, |_| true);
    let (mut why, span, mut fix) =
        explain(miss, request, context, || role.span_of(&["Policies", "0", "PolicyDocument", "Statement"]));
    if !role.unknown.is_empty() {
        why = format!("{why}; what {} allows is not known here", role.unknown.join(", "));
        fix = format!("{fix}, or write the statements of the managed policy into the template");
    }
    denied(request, Layer::Identity, why, span, fix)
}

fn untrusted(request: &Request, role: &Role, context: &Context, who: &str) -> Decision {
    let span_of = || role.span_of(&["AssumeRolePolicyDocument", "Statement"]);
    let speaks = |statement: &Statement| addresses_service(statement, who);
    let (why, span, fix) = match nearest(&role.trust, request, context, speaks) {
        miss @ Miss::Condition(..) => explain(miss, request, context, span_of),
        _ => (String::new(), span_of(), format!("let {who} assume it in `AssumeRolePolicyDocument`")),
    };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    denied(request, Layer::Trust, format!("its trust policy does not let {who} in{why}"), span, fix)
}

/// Why the nearest statement does not take the call, where that stands, and what to change.
fn explain(
    miss: Miss<'_>,
    request: &Request,
    context: &Context,
    whole: impl Fn() -> Option<crate::yaml::Span>,
) -> (String, Option<crate::yaml::Span>, String) {
    let resource = super::denial::generalized(&request.resource);
    match miss {
        Miss::Condition(statement, condition) => {
            let expected: Vec<String> = condition.values.iter().map(|value| format!("`{value}`")).collect();
            let found = match context.get(&condition.key.to_lowercase()) {
                Some(values) => format!("is `{}`", values.join("`, `")),
                None => "is not there".to_owned(),
            };
            let (operator, key) = (&condition.operator, &condition.key);
            let why = format!(
                "{} would, but its condition wants `{key}` {operator} {}; in the call it {found}",
                statement.name(),
                expected.join(" or ")
            );
            let span = statement.span_of(&["Condition", operator, key]);
            (why, span, format!("let the condition on `{key}` take it, or add a statement that does"))
        }
        Miss::Action(statement) => (
            format!("{} allows other actions on it", statement.name()),
            statement.span_of(&["Action"]),
            format!("add `{}` to `Action`", request.action),
        ),
        Miss::Resource(statement) => (
            format!("{} allows it on other resources", statement.name()),
            statement.span_of(&["Resource"]),
            format!("add `{resource}` to `Resource`"),
        ),
        Miss::Principal(statement) => (
            format!("{} allows it to others", statement.name()),
            statement.span_of(&["Principal"]),
            format!("add {} to `Principal`", request.principal.name()),
        ),
        Miss::Nothing => (
            "no statement allows it".to_owned(),
            whole(),
            format!("add {{Effect: Allow, Action: \"{}\", Resource: \"{resource}\"}}", request.action),
        ),
    }
}

fn denied(request: &Request, layer: Layer, why: String, span: Option<crate::yaml::Span>, fix: String) -> Decision {
    Decision::Denied(Box::new(Denial {
        principal: request.principal.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        layer,
        why,
        span,
        fix,
    }))
}

/// The resource to which a policy belongs.
fn base(resource: &str) -> String {
    if resource.starts_with("arn:aws:s3:::") {
        return resource.split('/').next().unwrap_or(resource).to_owned();
    }
    resource.to_owned()
}

fn short(arn: &str) -> &str {
    arn.splitn(6, ':').last().unwrap_or(arn)
}
