//! Which tokens of GitHub the roles trust.

use serde::Serialize;

use crate::spec::Github;

/// What a token of GitHub must say.
#[derive(Serialize)]
pub(super) struct Trusted {
    create_provider: bool,
    repository_id: Option<String>,
    r#ref: String,
    plan_subjects: Vec<String>,
    deploy_subjects: Vec<String>,
}

/// GitHub names a repository in a token's subject by its name, and since 2026-07-15 by name and number for those that
/// were made, renamed or transferred from then on. Where the numbers are known both forms are trusted.
pub(super) fn trusted(github: &Github, environment: &str) -> Trusted {
    let mut starts = vec![format!("repo:{}", github.repository)];
    if let (Some((owner, name)), Some(owner_id), Some(id)) =
        (github.repository.split_once('/'), github.owner_id, github.repository_id)
    {
        starts.push(format!("repo:{owner}@{owner_id}/{name}@{id}"));
    }
    let environment = github.environment.as_deref().unwrap_or(environment);
    let subjects = |end: &str| starts.iter().map(|start| format!("{start}:{end}")).collect();
    Trusted {
        create_provider: github.create_provider,
        repository_id: github.repository_id.map(|id| id.to_string()),
        r#ref: format!("refs/heads/{}", github.branch),
        plan_subjects: subjects("pull_request"),
        deploy_subjects: subjects(&format!("environment:{environment}")),
    }
}
