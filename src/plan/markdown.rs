//! The plan for a comment on a pull request.

use std::fmt::Write as _;

use super::Plan;
use super::resource::{Action, ResourcePlan};
use super::stack::{StackAction, StackPlan};
use super::text::{remark, stack_text};

/// GitHub refuses a comment of 65,536 characters; whoever posts the plan may put a heading of their own before it.
const LIMIT: usize = 60_000;

/// How much is said of each stack.
#[derive(Clone, Copy)]
enum Detail {
    Properties,
    Resources,
    Counts,
}

/// Says as much as fits: first the properties go, then the resources that are only added or changed.
pub(super) fn write(plan: &Plan) -> String {
    let mut text = String::new();
    for detail in [Detail::Properties, Detail::Resources, Detail::Counts] {
        text = with_detail(plan, detail);
        if text.chars().count() <= LIMIT {
            return text;
        }
    }
    let end = "\n\n… cut here: run `pipectl plan` to see the rest.\n";
    let start: String = text.chars().take(LIMIT - end.len()).collect();
    format!("{start}{end}")
}

fn with_detail(plan: &Plan, detail: Detail) -> String {
    let mut text = format!("### Plan for `{}`\n\n{}\n", plan.environment, plan.summary());
    write_losses(&mut text, plan);
    for stack in plan.stacks.iter().filter(|stack| stack.changes()) {
        write_stack(&mut text, stack, detail);
    }
    let unchanged: Vec<String> =
        plan.stacks.iter().filter(|stack| !stack.changes()).map(|stack| format!("`{}`", stack.name)).collect();
    if plan.has_changes() && !unchanged.is_empty() {
        let _ = writeln!(text, "\nUnchanged: {}", unchanged.join(", "));
    }
    match detail {
        Detail::Properties => {}
        Detail::Resources => text.push_str("\nThe plan is long: its properties are in the output of `pipectl plan`.\n"),
        Detail::Counts => text.push_str("\nThe plan is long: its resources are in the output of `pipectl plan`.\n"),
    }
    text
}

/// What is removed or replaced stands above all else.
fn write_losses(text: &mut String, plan: &Plan) {
    let lossy =
        |resource: &&ResourcePlan| matches!(resource.action, Action::Remove | Action::Replace | Action::MayReplace);
    let losses: Vec<(&StackPlan, &ResourcePlan)> = plan
        .stacks
        .iter()
        .flat_map(|stack| stack.resources.iter().filter(lossy).map(move |resource| (stack, resource)))
        .collect();
    if losses.is_empty() {
        return write_broader(text, plan);
    }
    text.push_str("\n> [!CAUTION]\n> Removed or replaced:\n");
    for (stack, resource) in losses {
        let remark = remark(resource).unwrap_or_default();
        let _ = writeln!(text, "> - `{}/{}` ({}) {remark}", stack.name, resource.logical_id, resource.resource_type);
    }
    let losses = plan.losses();
    if !losses.is_empty() {
        text.push_str(">\n> **Data would be lost.** `deploy` refuses this unless each is allowed by name:\n");
        for loss in losses {
            let _ = writeln!(text, "> - {loss}");
        }
    }
    write_broader(text, plan);
}

/// Who may do more than before comes next.
fn write_broader(text: &mut String, plan: &Plan) {
    let changed = plan.stacks.iter().filter(|stack| stack.action != StackAction::Create);
    let broader: Vec<String> = changed
        .flat_map(|stack| stack.access.iter().map(move |change| (stack, change)))
        .flat_map(|(stack, change)| {
            let rules = change.removed.iter().map(|rule| ("no longer: ", rule));
            let rules = rules.chain(change.added.iter().map(|rule| ("", rule))).filter(|(_, rule)| rule.broadens);
            rules.map(move |(prefix, rule)| format!("`{}/{}` {prefix}{}", stack.name, change.logical_id, rule.text))
        })
        .collect();
    if !broader.is_empty() {
        text.push_str("\n> [!WARNING]\n> May do more than before:\n");
        for line in broader {
            let _ = writeln!(text, "> - {line}");
        }
    }
}

fn write_stack(text: &mut String, stack: &StackPlan, detail: Detail) {
    let one =
        Plan { environment: String::new(), account: String::new(), region: String::new(), stacks: vec![stack.clone()] };
    let counts = one.summary();
    let _ = write!(
        text,
        "\n<details><summary><b>{}</b>: {} to add, {} to change, {} to replace, {} to remove</summary>\n\n",
        stack.stack_name, counts.add, counts.change, counts.replace, counts.remove
    );
    let block = match detail {
        Detail::Properties => stack_text(stack, false, true),
        Detail::Resources => stack_text(stack, false, false),
        Detail::Counts => String::new(),
    };
    if !block.is_empty() {
        let longest = block.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = writeln!(text, "{fence}diff");
        for line in block.lines().skip(1) {
            let _ = writeln!(text, "{}", as_diff(line));
        }
        let _ = writeln!(text, "{fence}");
    }
    text.push_str("</details>\n");
}

/// A line of the text form with its sign in the first column, where a `diff` block colours it.
fn as_diff(line: &str) -> String {
    let rest = line.trim_start();
    let indent = " ".repeat(line.len() - rest.len());
    for (sign, mark) in [("-/+ ", "-"), ("+ ", "+"), ("- ", "-"), ("~ ", "!")] {
        if let Some(after) = rest.strip_prefix(sign) {
            let sign = if sign == "-/+ " { sign } else { "" };
            return format!("{mark}{indent} {sign}{after}");
        }
    }
    format!(" {line}")
}
