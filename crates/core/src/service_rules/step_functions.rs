//! Step Functions: state machines and their definitions.

use serde_json::Value;

use super::{Findings, Rule, Subject, list, text};
use crate::error::did_you_mean;

const MACHINE: &[&str] = &["AWS::StepFunctions::StateMachine"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "state-machine",
        types: MACHINE,
        property: "DefinitionString",
        accepts: "one definition: a string, a mapping or an object of S3, up to 1 MB; a name of up to 80 letters, digits, hyphens and underscores; the ARN of a role",
        source: "https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html",
        bad: "{RoleArn: !GetAtt Role.Arn, DefinitionString: \"{\"}",
        good: "{RoleArn: !GetAtt Role.Arn, DefinitionString: '{\"StartAt\": \"A\", \"States\": {\"A\": {\"Type\": \"Succeed\"}}}'}",
        check: machine,
    },
    Rule {
        id: "state-machine-states",
        types: MACHINE,
        property: "Definition",
        accepts: "`StartAt` and `Next` that name states, known types of states with what each type needs, an end on every path, and no state that nothing leads to",
        source: "https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html",
        bad: "{RoleArn: !GetAtt Role.Arn, Definition: {StartAt: A, States: {B: {Type: Succeed}}}}",
        good: "{RoleArn: !GetAtt Role.Arn, Definition: {StartAt: A, States: {A: {Type: Succeed}}}}",
        check: states,
    },
];

fn definition(subject: &Subject<'_>) -> Option<(&'static str, Value)> {
    if let Some(text) = subject.text("DefinitionString") {
        // Substitutions stand in quotation marks or for whole values.
        return Some(("DefinitionString", serde_json::from_str(text).unwrap_or(Value::Null)));
    }
    subject.get("Definition").filter(|value| value.is_object()).map(|value| ("Definition", value.clone()))
}

fn machine(subject: &Subject<'_>, found: &mut Findings) {
    let forms: Vec<&str> =
        ["Definition", "DefinitionString", "DefinitionS3Location"].into_iter().filter(|key| subject.has(key)).collect();
    if forms.len() != 1 {
        found.refuse(
            "Definition",
            format!("has {} definitions", forms.len()),
            "write one of `Definition`, `DefinitionString` and `DefinitionS3Location`",
            "Exactly one of Definition, DefinitionString and DefinitionS3Location must be specified",
        );
    }
    if let Some(text) = subject.text("DefinitionString") {
        let substituted = subject.has("DefinitionSubstitutions") && text.contains("${");
        if !substituted && serde_json::from_str::<Value>(text).is_err() {
            found.refuse(
                "DefinitionString",
                "has a definition that is not JSON",
                "write a JSON text, or `Definition` as a mapping",
                "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION'",
            );
        }
        if text.len() > 1_048_576 {
            found.add(
                "DefinitionString",
                format!("has a definition of {} bytes", text.len()),
                "write at most 1,048,576",
            );
        }
    }
    if let Some(name) = subject
        .text("StateMachineName")
        .filter(|name| name.is_empty() || name.len() > 80 || !super::events::is_name(name, "-_"))
    {
        found.refuse(
            "StateMachineName",
            format!("has the name `{name}`"),
            "write up to 80 letters, digits, hyphens and underscores",
            format!("Invalid Name: '{name}'"),
        );
    }
    if let Some(role) = subject.text("RoleArn").filter(|role| super::arn_parts(role).is_none()) {
        found.refuse(
            "RoleArn",
            format!("has the role `{role}`"),
            "write the ARN of a role: `!GetAtt Role.Arn`",
            format!("Invalid Role Arn: '{role}'"),
        );
    }
}

fn states(subject: &Subject<'_>, found: &mut Findings) {
    if subject.has("DefinitionSubstitutions") {
        return;
    }
    if let Some((path, definition)) = definition(subject)
        && definition.is_object()
    {
        machine_states(&definition, path, found);
    }
}

const KINDS: [&str; 8] = ["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"];

#[expect(clippy::too_many_lines, reason = "one rule after the other, each a few lines")]
fn machine_states(definition: &Value, path: &str, found: &mut Findings) {
    let answer = |reason: &str| format!("Invalid State Machine Definition: '{reason}'");
    let Some(states) = definition.get("States").and_then(Value::as_object) else {
        found.refuse(
            path,
            "has no `States`",
            "add `States`",
            answer("SCHEMA_VALIDATION_FAILED: The field 'States' is missing"),
        );
        return;
    };
    let known = |name: &str| states.contains_key(name);
    let names = || states.keys().map(String::as_str);
    let mut reached: Vec<&str> = Vec::new();
    match text(definition, "StartAt") {
        Some(start) if known(start) => reached.push(start),
        Some(start) => found.refuse(
            &format!("{path}/StartAt"),
            format!("starts at `{start}`, which is not a state"),
            did_you_mean(start, names().collect::<Vec<_>>()),
            answer("MISSING_TRANSITION_TARGET: Missing 'StartAt' target"),
        ),
        None => found.refuse(
            path,
            "has no `StartAt`",
            "add `StartAt`",
            answer("SCHEMA_VALIDATION_FAILED: The field 'StartAt' is missing"),
        ),
    }
    let mut targets: Vec<(&str, String)> = Vec::new();
    for (name, state) in states {
        let base = format!("{path}/States/{name}");
        let kind = text(state, "Type");
        match kind {
            Some(kind) if KINDS.contains(&kind) => {}
            None if state.get("Type").is_some_and(super::is_unknown) => continue,
            Some(other) => found.refuse(
                &format!("{base}/Type"),
                format!("has the state `{name}` of the type `{other}`"),
                did_you_mean(other, KINDS),
                answer("SCHEMA_VALIDATION_FAILED: unknown state type"),
            ),
            None => found.refuse(
                &base,
                format!("has the state `{name}` without a type"),
                "add `Type: Task`",
                answer("SCHEMA_VALIDATION_FAILED: The field 'Type' is missing"),
            ),
        }
        let (next, end) = (text(state, "Next"), state.get("End").and_then(Value::as_bool) == Some(true));
        if matches!(kind, Some("Task" | "Pass" | "Wait" | "Parallel" | "Map")) {
            if next.is_some() == end && !state.get("Next").is_some_and(super::is_unknown) {
                found.refuse(
                    &base,
                    format!("has the state `{name}`, which needs one of `Next` and `End`"),
                    "add `Next: <state>` or `End: true`",
                    answer("SCHEMA_VALIDATION_FAILED: exactly one of 'Next' and 'End' is required"),
                );
            }
        } else if matches!(kind, Some("Succeed" | "Fail" | "Choice")) && (next.is_some() || state.get("End").is_some())
        {
            found.refuse(
                &base,
                format!("has the state `{name}` of the type {} with `Next` or `End`", kind.unwrap_or_default()),
                "remove it",
                answer("SCHEMA_VALIDATION_FAILED: field is not supported"),
            );
        }
        let needs: &[&str] = match kind {
            Some("Task") => &["Resource"],
            Some("Choice") => &["Choices"],
            Some("Parallel") => &["Branches"],
            _ => &[],
        };
        for key in needs {
            if state.get(key).is_none() {
                found.refuse(
                    &base,
                    format!("has the state `{name}` without `{key}`"),
                    format!("add `{key}`"),
                    answer(&format!("SCHEMA_VALIDATION_FAILED: The field '{key}' is missing")),
                );
            }
        }
        targets.extend(next.map(|next| (next, format!("{base}/Next"))));
        targets.extend(text(state, "Default").map(|next| (next, format!("{base}/Default"))));
        for key in ["Choices", "Catch"] {
            for (index, one) in list(state, key).iter().enumerate() {
                targets.extend(text(one, "Next").map(|next| (next, format!("{base}/{key}/{index}/Next"))));
            }
        }
        for (index, branch) in list(state, "Branches").iter().enumerate() {
            machine_states(branch, &format!("{base}/Branches/{index}"), found);
        }
        for key in ["ItemProcessor", "Iterator"] {
            if let Some(inner) = state.get(key).filter(|inner| inner.get("States").is_some()) {
                machine_states(inner, &format!("{base}/{key}"), found);
            }
        }
    }
    for (target, path) in targets {
        if known(target) {
            reached.push(target);
        } else {
            found.refuse(
                &path,
                format!("continues with `{target}`, which is not a state"),
                did_you_mean(target, names().collect::<Vec<_>>()),
                answer("MISSING_TRANSITION_TARGET: Missing 'Next' target"),
            );
        }
    }
    for name in names().filter(|name| !reached.contains(name)) {
        found.refuse(
            &format!("{path}/States/{name}"),
            format!("has the state `{name}`, which nothing leads to"),
            "lead to it by `Next`, or remove it",
            answer("MISSING_TRANSITION_TARGET: State is not reachable"),
        );
    }
}
