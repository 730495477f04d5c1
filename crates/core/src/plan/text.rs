//! The plan for people, in the form that Terraform made known.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::Plan;
use super::mask::{AFTER_DEPLOY, SECRET};
use super::overwrite;
use super::resource::{Action, PropertyChange, ResourcePlan, readable};
use super::stack::{StackAction, StackPlan, ValueChange};
use super::{migration, warning};

/// The longest value that stands on a line as it is.
const WIDTH: usize = 100;

pub(super) fn write(plan: &Plan, colour: bool) -> String {
    let mut text = String::new();
    for stack in plan.stacks.iter().filter(|stack| stack.changes()) {
        text.push_str(&stack_text(stack, colour, true));
        text.push('\n');
    }
    for stack in plan.stacks.iter().filter(|stack| !stack.changes() && !stack.notes.is_empty()) {
        for note in &stack.notes {
            let _ = writeln!(text, "{}: {note}\n", stack.stack_name);
        }
    }
    let unchanged: Vec<&str> =
        plan.stacks.iter().filter(|stack| !stack.changes()).map(|stack| stack.name.as_str()).collect();
    if plan.has_changes() && !unchanged.is_empty() {
        let _ = writeln!(text, "Unchanged: {}\n", unchanged.join(", "));
    }
    if !plan.migrations.is_empty() {
        let title = bold("At the first load after the deploy the warehouse changes its tables:", colour);
        let _ = writeln!(text, "{title}\n{}", migration::text(&plan.migrations));
    }
    if !plan.warnings.is_empty() {
        let title = paint("Between stacks:", AnsiColor::Yellow.on_default().bold(), colour);
        let _ = writeln!(text, "{title}\n{}", warning::text(&plan.warnings));
    }
    let foreign = foreign(plan);
    if !foreign.is_empty() {
        let title = "Lets in others than this account and the services of AWS:";
        let _ = writeln!(text, "{}", paint(title, AnsiColor::Red.on_default().bold(), colour));
        for line in &foreign {
            let _ = writeln!(text, "  {line}");
        }
        text.push('\n');
    }
    let losses = plan.losses();
    if !losses.is_empty() {
        let _ = writeln!(text, "{}", paint("Data would be lost:", AnsiColor::Red.on_default().bold(), colour));
        for loss in &losses {
            let _ = writeln!(text, "  {loss}");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{}", bold(&plan.summary().to_string(), colour));
    text
}

/// Each rule that lets in somebody from outside of the account, with the resource that has it.
pub(super) fn foreign(plan: &Plan) -> Vec<String> {
    let changes = plan.stacks.iter().flat_map(|stack| stack.access.iter().map(move |change| (stack, change)));
    let rules = changes.flat_map(|(stack, change)| change.added.iter().map(move |rule| (stack, change, rule)));
    let foreign = rules.filter(|(_, _, rule)| rule.foreign);
    foreign.map(|(stack, change, rule)| format!("{}/{}: {}", stack.name, change.logical_id, rule.text)).collect()
}

/// One stack: its name, then a block for each thing that changes.
pub(super) fn stack_text(stack: &StackPlan, colour: bool, properties: bool) -> String {
    let mut text = String::new();
    let title = match stack.action {
        StackAction::Create => format!("{} (new stack)", stack.stack_name),
        _ => stack.stack_name.clone(),
    };
    let _ = writeln!(text, "{}", bold(&title, colour));
    for note in &stack.notes {
        let _ = writeln!(text, "    # {note}");
    }
    for resource in &stack.resources {
        write_resource(&mut text, resource, colour, properties);
    }
    overwrite::write(&mut text, &stack.overwrites, colour);
    write_access(&mut text, stack, colour);
    // The parameters and tags of a new stack are seen in its resources.
    if stack.action != StackAction::Create {
        write_values(&mut text, "parameters", &stack.parameters, colour);
        write_values(&mut text, "outputs", &stack.outputs, colour);
        write_values(&mut text, "tags", &stack.tags, colour);
    }
    if stack.protect {
        let _ = writeln!(text, "{}termination protection", symbol("  + ", colour));
    }
    text
}

fn write_resource(text: &mut String, resource: &ResourcePlan, colour: bool, properties: bool) {
    let mark = match resource.action {
        Action::Add | Action::Import => "  + ",
        Action::Remove => "  - ",
        Action::Replace | Action::MayReplace => "-/+ ",
        Action::Change | Action::MayChange | Action::Other(_) => "  ~ ",
    };
    let _ = write!(text, "{}{}  {}", symbol(mark, colour), resource.logical_id, resource.resource_type);
    if let Some(remark) = remark(resource) {
        let _ = write!(text, "  # {remark}");
    }
    text.push('\n');
    for change in resource.properties.iter().filter(|_| properties) {
        let _ = writeln!(text, "      {}", property(change, &resource.action, colour));
    }
}

/// What a reader must know of a resource beyond the sign in front of it.
pub(super) fn remark(resource: &ResourcePlan) -> Option<String> {
    let reasons = || match resource.forced_by.as_slice() {
        [] => String::new(),
        reasons => format!(" because of {}", reasons.join(", ")),
    };
    let fate = match resource.policy.as_deref() {
        Some("Retain" | "RetainExceptOnCreate" | "ReplaceAndRetain") => "; the old one is kept, outside of the stack",
        Some("Snapshot" | "ReplaceAndSnapshot") => "; a snapshot of the old one is kept",
        _ => "",
    };
    Some(match &resource.action {
        Action::Replace => format!("is replaced{}{fate}", reasons()),
        Action::MayReplace => format!("may be replaced{}{fate}", reasons()),
        Action::MayChange => "may change".to_owned(),
        Action::Remove => match resource.policy.as_deref() {
            Some("Retain" | "RetainExceptOnCreate") => "leaves the stack and is kept".to_owned(),
            Some("Snapshot") => "is deleted; a snapshot is kept".to_owned(),
            _ => "is deleted".to_owned(),
        },
        Action::Import => "exists already and is imported".to_owned(),
        Action::Other(name) => name.clone(),
        Action::Add | Action::Change => return None,
    })
}

/// Who may do more or less. In a new stack all of it is new, and stands with its resources.
fn write_access(text: &mut String, stack: &StackPlan, colour: bool) {
    if stack.action == StackAction::Create || stack.access.is_empty() {
        return;
    }
    let _ = writeln!(text, "    access");
    for change in &stack.access {
        let rules = change.removed.iter().map(|rule| ("- ", rule)).chain(change.added.iter().map(|rule| ("+ ", rule)));
        for (mark, rule) in rules {
            let broader = match (rule.foreign, rule.broadens) {
                (true, _) => "  # broader, for others than this account",
                (false, true) => "  # broader",
                (false, false) => "",
            };
            let _ = writeln!(text, "      {}{}: {}{broader}", symbol(mark, colour), change.logical_id, rule.text);
        }
    }
}

fn property(change: &PropertyChange, action: &Action, colour: bool) -> String {
    let path = readable(&change.path);
    let mut text = match (&change.before, &change.after) {
        (None, Some(after)) if *action == Action::Add => format!("{path}: {}", shown(after)),
        (None, Some(after)) => format!("{}{path}: {}", symbol("+ ", colour), shown(after)),
        (Some(before), None) => format!("{}{path}: {}", symbol("- ", colour), shown(before)),
        (Some(before), Some(after)) => {
            let (before, after) = pair(before, after);
            format!("{}{path}: {before} → {after}", symbol("~ ", colour))
        }
        (None, None) => format!("{}{path}", symbol("~ ", colour)),
    };
    let replaces = matches!(action, Action::Replace | Action::MayReplace);
    let mut remarks = Vec::new();
    match change.requires_recreation.as_deref() {
        Some("Always") if replaces => remarks.push("forces replacement".to_owned()),
        Some("Conditionally") if replaces => remarks.push("may force replacement".to_owned()),
        _ => {}
    }
    remarks.extend(change.cause.as_ref().map(|cause| format!("through {cause}")));
    if !remarks.is_empty() {
        let _ = write!(text, "  # {}", remarks.join(", "));
    }
    text
}

fn write_values(text: &mut String, title: &str, changes: &[ValueChange], colour: bool) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "    {title}");
    for ValueChange { name, before, after } in changes {
        let line = match (before, after) {
            (None, Some(after)) => format!("{}{name}: {}", symbol("+ ", colour), shown(after)),
            (Some(before), None) => format!("{}{name}: {}", symbol("- ", colour), shown(before)),
            (Some(before), Some(after)) => {
                let (before, after) = pair(before, after);
                format!("{}{name}: {before} → {after}", symbol("~ ", colour))
            }
            (None, None) => continue,
        };
        let _ = writeln!(text, "      {line}");
    }
}

/// A value on one line.
pub(super) fn shown(value: &Value) -> String {
    shorten(&full(value))
}

fn full(value: &Value) -> String {
    match value {
        Value::String(text) if text == SECRET || text == AFTER_DEPLOY => text.clone(),
        _ => value.to_string(),
    }
}

/// Two values on one line. Of two long ones only the part is shown in which they differ.
pub(super) fn pair(before: &Value, after: &Value) -> (String, String) {
    let lists = (before.as_array(), after.as_array());
    let (before, after) = (full(before), full(after));
    if before == SECRET && after == SECRET {
        return (before, "(another secret)".to_owned());
    }
    if before.chars().count() <= WIDTH && after.chars().count() <= WIDTH {
        return (before, after);
    }
    if let (Some(before), Some(after)) = lists {
        let (before, after) = middles(before, after);
        return (shorten(&before), shorten(&after));
    }
    let same = before.chars().zip(after.chars()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(20);
    let cut = |text: &str| {
        let rest: String = text.chars().skip(from).collect();
        let start = if from > 0 { "…" } else { "" };
        format!("{start}{}", shorten(&rest))
    };
    (cut(&before), cut(&after))
}

/// Two lists without the items with which both begin and end.
fn middles(before: &[Value], after: &[Value]) -> (String, String) {
    let alike = |(one, other): &(&Value, &Value)| one == other;
    let first = before.iter().zip(after).take_while(alike).count();
    let (before, after) = (&before[first..], &after[first..]);
    let last = before.iter().rev().zip(after.iter().rev()).take_while(alike).count();
    let joined = |items: &[Value]| {
        let start = (first > 0).then(|| "…".to_owned());
        let end = (last > 0).then(|| "…".to_owned());
        let items = items[..items.len() - last].iter().map(Value::to_string);
        format!("[{}]", start.into_iter().chain(items).chain(end).collect::<Vec<_>>().join(", "))
    };
    (joined(before), joined(after))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    let start: String = text.chars().take(WIDTH - 1).collect();
    format!("{start}…")
}

pub(super) fn symbol(symbol: &str, colour: bool) -> String {
    let style = match symbol.trim() {
        "+" => AnsiColor::Green.on_default(),
        "-" | "-/+" => AnsiColor::Red.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    };
    paint(symbol, style, colour)
}

pub(super) fn bold(text: &str, colour: bool) -> String {
    paint(text, Style::new().bold(), colour)
}

fn paint(text: &str, style: Style, colour: bool) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_lists_show_only_items_that_differ() {
        let column = |name: &str| json!({"Name": name, "Type": "string"});
        let list = |names: &[&str]| Value::Array(names.iter().map(|name| column(name)).collect());
        let shown = |before: &[&str], after: &[&str]| {
            let (before, after) = pair(&list(before), &list(after));
            format!("{before} → {after}")
        };
        let five = ["id", "email", "first_name", "last_name", "state"];
        let mut six = five.to_vec();
        six.insert(4, "nickname");
        insta::assert_snapshot!(shown(&five, &six), @r#"[…, …] → […, {"Name":"nickname","Type":"string"}, …]"#);
        insta::assert_snapshot!(shown(&six, &five[..4]), @r#"[…, {"Name":"nickname","Type":"string"}, {"Name":"state","Type":"string"}] → […]"#);
        insta::assert_snapshot!(shown(&five, &["id", "email", "first_name", "surname", "state"]), @r#"[…, {"Name":"last_name","Type":"string"}, …] → […, {"Name":"surname","Type":"string"}, …]"#);
    }
}
