//! The reference pipeline's own templates, deployed, changed and deleted.

use std::collections::BTreeMap;

use super::Local;
use crate::render::{self, InputSource, RenderedStack};
use pipectl_core::testing::{built_in, reference};

fn rendered() -> Vec<RenderedStack> {
    render::stacks(&reference("local").0, &|path| Ok(built_in(path))).unwrap()
}

/// The parameters of a stack from the outputs of those before it.
fn parameters(stack: &RenderedStack, local: &Local, stacks: &[RenderedStack]) -> Vec<(String, String)> {
    let outputs: BTreeMap<String, BTreeMap<String, String>> =
        local.account.stacks().into_iter().map(|deployed| (deployed.name, deployed.outputs)).collect();
    let value = |from: &InputSource| match from {
        InputSource::Output { stack, output } => {
            let owner = stacks.iter().find(|known| known.name == *stack).unwrap();
            outputs[&owner.stack_name][output].clone()
        }
        InputSource::Artifact { name } => format!("lambda/{name}.zip"),
        InputSource::Document => "config/pipeline.json".to_owned(),
    };
    stack.inputs.iter().map(|input| (input.parameter.clone(), value(&input.from))).collect()
}

#[tokio::test]
async fn the_reference_pipeline_is_deployed_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let stacks = rendered();
    let mut left: Vec<&RenderedStack> = stacks.iter().collect();
    let mut done: Vec<&RenderedStack> = Vec::new();
    let start = std::time::Instant::now();
    while !left.is_empty() {
        let ready = |stack: &&RenderedStack| stack.needs().iter().all(|need| done.iter().any(|one| one.name == *need));
        let next = left.iter().position(ready).unwrap();
        let stack = left.remove(next);
        let values = parameters(stack, &local, &stacks);
        let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let status = local.deploy(&stack.stack_name, &stack.text, &values).await;
        let events = local.events(&stack.stack_name).await;
        let failed: Vec<&String> = events.iter().filter(|event| event.contains("_FAILED")).collect();
        assert_eq!(status, "CREATE_COMPLETE", "{}: {failed:#?}", stack.stack_name);
        if stack.name == "bootstrap" {
            let bucket = &local.account.stacks()[0].outputs["ArtifactBucketName"];
            for name in ["shopify", "load"] {
                local.put(bucket, &format!("lambda/{name}.zip"), b"zip").await;
            }
        }
        done.push(stack);
    }
    let resources = local.account.resources().len();
    eprintln!("deployed {} stacks, {resources} resources in {:?}", stacks.len(), start.elapsed());

    let again = std::time::Instant::now();
    for stack in &done {
        let values = parameters(stack, &local, &stacks);
        let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let change_set = local.change_set(&stack.stack_name, &stack.text, &values).await.unwrap();
        let described = local.cloudformation.describe_change_set().change_set_name(change_set).send().await.unwrap();
        assert_eq!(described.status().unwrap().as_str(), "FAILED", "{}: {:?}", stack.stack_name, described.changes());
    }
    eprintln!("nothing to change: {:?}", again.elapsed());

    for stack in done.iter().rev() {
        if stack.name == "bootstrap" {
            continue;
        }
        assert_eq!(local.delete(&stack.stack_name).await, "DELETE_COMPLETE", "{:#?}", stack.stack_name);
    }
}
