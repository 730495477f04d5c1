//! The reference pipeline, deployed into a local account and rehearsed with all its real parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudformation::error::DisplayErrorContext;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter};
use fs_err as fs;

use super::*;
use crate::document;
use crate::package::{self, Package};
use crate::project::Project;
use crate::rehearse::shopify::Faults;
use crate::render::{InputSource, RenderedStack};
use crate::sample::{OPENED, Sample};
use pipectl_core::testing::cannot_run;
use pipectl_emulator::account::LocalAccount;

/// What a rehearsal needs: a Python with Spark, and the packaged Lambdas. `None` if the test is skipped for want of them.
fn parts(project: &Project, state: &Path) -> Option<Parts> {
    let environment = project.root.join(".venv");
    let python = std::env::var_os("PIPECTL_PYTHON").map_or_else(|| environment.join("bin/python"), PathBuf::from);
    if !python.is_file() {
        cannot_run("spark", format!("no Python with Spark at {}", python.display()), "make setup");
        return None;
    }
    if !project.root.join(".pipectl/package/manifest.json").is_file() {
        cannot_run("package", "nothing is packaged", "target/debug/pipectl package --env local");
        return None;
    }
    let runner = project.root.join("glue-src/local/runner.py");
    Some(Parts {
        python,
        runner,
        environment: Some(environment),
        cache: project.state().join("spark"),
        state: state.to_owned(),
    })
}

fn client(endpoint: &str, access_key: &str) -> Client {
    let config = aws_sdk_cloudformation::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(access_key, "test", None, None, "test"))
        .build();
    Client::from_conf(config)
}

/// Deploys every stack in order, by the same calls that any other client makes.
async fn deploy(account: &LocalAccount, endpoint: &str, stacks: &[RenderedStack], package: &Package, document: &[u8]) {
    let client = client(endpoint, &account.access_key("deploy"));
    let mut outputs: BTreeMap<(String, String), String> = BTreeMap::new();
    for stack in stacks {
        println!("deploying {}", stack.name);
        let key = |from: &InputSource| match from {
            InputSource::Output { stack, output } => outputs[&(stack.clone(), output.clone())].clone(),
            InputSource::Document => document::key(document),
            InputSource::Artifact { name } => {
                let known = |artifact: &&package::Artifact| {
                    artifact.name == *name || artifact.kind == package::Kind::Library && name == "library"
                };
                package.artifacts.iter().find(known).unwrap().key.clone()
            }
        };
        let parameters = stack.inputs.iter().map(|input| {
            Parameter::builder().parameter_key(&input.parameter).parameter_value(key(&input.from)).build()
        });
        let request = client
            .create_change_set()
            .stack_name(&stack.stack_name)
            .change_set_name("first")
            .change_set_type(ChangeSetType::Create)
            .template_body(&stack.text)
            .set_parameters(Some(parameters.collect()))
            .capabilities(Capability::CapabilityNamedIam);
        request.send().await.unwrap_or_else(|error| panic!("{}: {}", stack.name, DisplayErrorContext(&error)));
        let mut status = String::new();
        while status != "CREATE_COMPLETE" {
            if status.contains("FAILED") || status.contains("ROLLBACK") {
                let events = client.describe_stack_events().stack_name(&stack.stack_name).send().await.unwrap();
                let reasons = events.stack_events().iter().filter_map(|event| {
                    Some(format!("{}: {}", event.logical_resource_id()?, event.resource_status_reason()?))
                });
                panic!("{}: {status}\n{}", stack.name, reasons.collect::<Vec<_>>().join("\n"));
            }
            if status != "CREATE_IN_PROGRESS" {
                let execute = client.execute_change_set().stack_name(&stack.stack_name).change_set_name("first");
                // Until the change set is made, it is refused.
                let _ = execute.send().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            status = account
                .stacks()
                .into_iter()
                .find(|one| one.name == stack.stack_name)
                .map_or_else(String::new, |one| one.status);
        }
        let made = account.stacks().into_iter().find(|one| one.name == stack.stack_name).unwrap();
        outputs.extend(made.outputs.into_iter().map(|(output, value)| ((stack.name.clone(), output), value)));
        if stack.name == "bootstrap" {
            let bucket = account.bucket_directory(&outputs[&("bootstrap".to_owned(), "ArtifactBucketName".to_owned())]);
            for artifact in &package.artifacts {
                let to = bucket.join(&artifact.key);
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(&artifact.path, to).unwrap();
            }
            let to = bucket.join(document::key(document));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, document).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_pipeline_from_sources_to_marts_and_again() {
    let project = Project::find(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let Some(parts) = parts(&project, directory.path()) else { return };
    let spec = project.spec("local").unwrap();
    let package =
        package::build(&project.root, spec.pipeline.functions.architecture, &mut |text| println!("… {text}")).unwrap();
    let desired = project.desired_state(&spec).unwrap();
    let account = LocalAccount::open(&directory.path().join("account"), "000000000000", "us-east-1").unwrap();
    let endpoint = account.serve(0).await.unwrap();
    deploy(&account, &endpoint.url(), &desired.stacks, &package, &desired.document).await;

    let sample = directory.path().join("sample");
    let what = Sample { orders: 300, seed: 7, since: OPENED, broken_rows: 2 };
    what.write(&sample, false, &mut |_| true).unwrap();
    let folders = BTreeMap::from([("shop".to_owned(), sample.join("shop")), ("erp".to_owned(), sample.join("erp"))]);
    let data = Data { folders: folders.clone(), ..Data::default() };
    let mut pipeline = LocalPipeline::open(&account, &endpoint.url(), &spec, &parts, &folders).await.unwrap();

    // A shop that lets nobody in: the files are loaded all the same, and the report says what to fix.
    *pipeline.shops["shop"].faults() = Faults { expired_token: u32::MAX, ..Faults::default() };
    let refused = rehearse(&mut pipeline, &spec, &data, &|text| println!("… {text}")).await.unwrap();
    let text = refused.text(false);
    println!("{text}");
    assert!(refused.failed && text.contains("the function `shop-local-ingest-shop` failed"), "{text}");
    assert!(text.contains("token"), "{text}");
    assert_eq!((refused.rows["stores"].adds_up(), refused.rows.contains_key("orders")), (true, false), "{text}");

    // A shop that fails once in each way: everything comes, and comes once.
    *pipeline.shops["shop"].faults() = Faults {
        expired_token: 1,
        too_many_requests: 1,
        throttled: 1,
        server_error: 1,
        failed_operation: 1,
        truncated_download: 1,
        miscounted_operation: 1,
        ..Faults::default()
    };
    let first = rehearse(&mut pipeline, &spec, &data, &|text| println!("… {text}")).await.unwrap();
    let text = first.text(false);
    println!("{text}");
    assert!(!first.failed, "{text}");
    assert_eq!(*pipeline.shops["shop"].faults(), Faults::default(), "{text}");
    let orders = &first.rows["orders"];
    // What a failed invocation had delivered before is asked for again from its cursor on, and known again.
    assert_eq!((orders.read - orders.duplicates, orders.quarantined, orders.changed), (300, 2, 298), "{text}");
    let lines = fs::read_to_string(sample.join("shop/orders.jsonl")).unwrap().lines().count() as u64 - 300;
    assert_eq!(first.rows["order_lines"].changed, lines, "{text}");
    assert!(first.marts.iter().all(|mart| mart.count > 0), "{text}");

    // Each permission is needed: without it, exactly the call that it allows is denied.
    for (grant, denials) in pipeline.authorizer.without_each_grant() {
        let actions: Vec<&str> = denials.iter().map(|denial| denial.action.as_str()).collect();
        let same = |action: &&str| grant.ends_with(&action.to_lowercase());
        assert!(!actions.is_empty() && actions.iter().all(same), "without {grant}: {actions:?}");
    }
    let boundary = pipeline.authorizer.again(|policies| {
        let role = policies.roles.get_mut("shop-local-load").unwrap();
        role.boundary.as_mut().unwrap().statements.retain(|statement| statement.sid.as_deref() != Some("Statements"));
    });
    insta::assert_snapshot!(boundary.iter().map(|denial| format!("{}: {}\n", denial.call(), denial.why)).collect::<String>(), @"the role `shop-local-load` may not redshift-data:BatchExecuteStatement on arn:aws:redshift-serverless:us-east-1:000000000000:workgroup/*: its boundary `shop-local-boundary` does not allow it: no statement allows it");
    let unused = first.grants.unused.iter().map(|one| format!("{} {} {}\n", one.of, one.statement, one.action));
    insta::assert_snapshot!(unused.collect::<String>(), @"
    shop-local-glue MissCopies s3:listbucket
    shop-local-glue WriteZones s3:AbortMultipartUpload
    shop-local-ingest-shop GoOn lambda:invokefunction
    shop-local-ingest-shop SeeState s3:listbucket
    shop-local-ingest-shop WriteObjects s3:AbortMultipartUpload
    shop-local-load FollowStatements redshift-data:GetStatementResult
    shop-local-load RunStatements redshift-data:ExecuteStatement
    shop-local-warehouse FindRows s3:GetBucketLocation
    shop-local-warehouse FindRows s3:ListBucket
    ");

    let second = rehearse(&mut pipeline, &spec, &data, &|text| println!("… {text}")).await.unwrap();
    let text = second.text(false);
    println!("{text}");
    assert!(!second.failed, "{text}");
    assert!(second.warehouse.iter().all(|table| table.before == table.after), "{text}");
    pipeline.close().await;
    endpoint.stop().await.unwrap();
}
