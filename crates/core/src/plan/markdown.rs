//! The plan for a comment on a pull request.

use std::fmt::Write as _;

use super::Plan;
use super::resource::{Action, ResourcePlan};
use super::stack::{StackAction, StackPlan};
use super::text::{foreign, remark, stack_text};
use super::{migration, warning};

/// GitHub refuses a comment of 65,536 characters; a workflow may put a heading before it.
const LIMIT: usize = 60_000;
/// The longest line of a list that had to be cut.
const LINE: usize = 400;

/// How much is said of each stack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Properties,
    Resources,
    Counts,
}

/// How much is said in all.
#[derive(Clone, Copy)]
struct Measure {
    detail: Detail,
    /// The most lines of a list. What is left out is counted.
    lines: usize,
}

/// Says as much as fits: first the properties go, then the resources that are only added or changed, then the ends of
/// long lists, with their count in their place. What is removed or replaced goes last.
pub(super) fn write(plan: &Plan) -> String {
    let whole = [Detail::Properties, Detail::Resources, Detail::Counts].map(|detail| (detail, usize::MAX));
    let cut = [300, 100, 30, 10, 3, 0].map(|lines| (Detail::Counts, lines));
    let mut text = String::new();
    for (detail, lines) in whole.into_iter().chain(cut) {
        text = Measure { detail, lines }.write(plan);
        if text.chars().count() <= LIMIT {
            break;
        }
    }
    // Without a line of a list nothing is left that could be long.
    text
}

impl Measure {
    fn write(self, plan: &Plan) -> String {
        let mut text = format!("### Plan for `{}`\n\n{}\n", self.line(&plan.environment), plan.summary());
        self.losses(&mut text, plan);
        self.broader(&mut text, plan);
        if !plan.warnings.is_empty() {
            text.push_str("\n> [!WARNING]\n> Between stacks:\n");
            let lines = warning::text(&plan.warnings);
            self.list(&mut text, "> ", lines.lines().map(as_item).collect());
        }
        if !plan.migrations.is_empty() {
            text.push_str("\nAt the first load after the deploy the warehouse changes its tables:\n\n");
            let lines = migration::text(&plan.migrations);
            self.list(&mut text, "", lines.lines().map(as_item).collect());
        }
        let changed: Vec<&StackPlan> = plan.stacks.iter().filter(|stack| stack.changes()).collect();
        for stack in changed.iter().take(self.lines) {
            self.stack(&mut text, stack);
        }
        if changed.len() > self.lines {
            let _ = writeln!(text, "\n{} more stacks change.", changed.len() - self.lines);
        }
        let unchanged: Vec<String> =
            plan.stacks.iter().filter(|stack| !stack.changes()).map(|stack| format!("`{}`", stack.name)).collect();
        if plan.has_changes() && !unchanged.is_empty() {
            let names = if self.lines == usize::MAX { unchanged.join(", ") } else { unchanged.len().to_string() };
            let _ = writeln!(text, "\nUnchanged: {names}");
        }
        match self.detail {
            Detail::Properties => {}
            Detail::Resources => {
                text.push_str("\nThe plan is long: its properties are in the output of `pipectl plan`.\n");
            }
            Detail::Counts => text.push_str("\nThe plan is long: its resources are in the output of `pipectl plan`.\n"),
        }
        text
    }

    /// What is removed or replaced stands above all else.
    fn losses(self, text: &mut String, plan: &Plan) {
        let lossy =
            |resource: &&ResourcePlan| matches!(resource.action, Action::Remove | Action::Replace | Action::MayReplace);
        let resources: Vec<(&StackPlan, &ResourcePlan)> = plan
            .stacks
            .iter()
            .flat_map(|stack| stack.resources.iter().filter(lossy).map(move |resource| (stack, resource)))
            .collect();
        if resources.is_empty() {
            return;
        }
        let count = |action: &Action, word: &str| {
            let count = resources.iter().filter(|(_, resource)| resource.action == *action).count();
            (count > 0).then(|| format!("{count} {word}"))
        };
        let counts = [
            count(&Action::Remove, "removed"),
            count(&Action::Replace, "replaced"),
            count(&Action::MayReplace, "may be replaced"),
        ];
        let _ = writeln!(text, "\n> [!CAUTION]\n> {}:", counts.into_iter().flatten().collect::<Vec<_>>().join(", "));
        let lines = resources.iter().map(|(stack, resource)| {
            let remark = remark(resource).unwrap_or_default();
            format!("- `{}/{}` ({}) {remark}", stack.name, resource.logical_id, resource.resource_type)
        });
        self.list(text, "> ", lines.collect());
        let losses = plan.losses();
        if !losses.is_empty() {
            text.push_str(">\n> **Data would be lost.** `deploy` refuses this unless each is allowed by name:\n");
            self.list(text, "> ", losses.iter().map(|loss| format!("- {loss}")).collect());
        }
    }

    /// Who may do more than before comes next, and first of all who is not of the account.
    fn broader(self, text: &mut String, plan: &Plan) {
        let foreign: Vec<String> = foreign(plan).into_iter().map(|line| format!("- {line}")).collect();
        if !foreign.is_empty() {
            text.push_str("\n> [!CAUTION]\n> **Lets in others than this account and the services of AWS:**\n");
            self.list(text, "> ", foreign);
        }
        let changed = plan.stacks.iter().filter(|stack| stack.action != StackAction::Create);
        let broader: Vec<String> = changed
            .flat_map(|stack| stack.access.iter().map(move |change| (stack, change)))
            .flat_map(|(stack, change)| {
                let rules = change.removed.iter().map(|rule| ("no longer: ", rule));
                let rules = rules.chain(change.added.iter().map(|rule| ("", rule))).filter(|(_, rule)| rule.broadens);
                rules.map(move |(prefix, rule)| {
                    format!("- `{}/{}` {prefix}{}", stack.name, change.logical_id, rule.text)
                })
            })
            .collect();
        if !broader.is_empty() {
            text.push_str("\n> [!WARNING]\n> May do more than before:\n");
            self.list(text, "> ", broader);
        }
    }

    fn stack(self, text: &mut String, stack: &StackPlan) {
        let one = Plan { stacks: vec![stack.clone()], ..Plan::default() };
        let counts = one.summary();
        let _ = write!(
            text,
            "\n<details><summary><b>{}</b>: {} to add, {} to change, {} to replace, {} to remove</summary>\n\n",
            self.line(&stack.stack_name),
            counts.add,
            counts.change,
            counts.replace,
            counts.remove
        );
        let block = match self.detail {
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

    /// The lines of a list, and how many more there are.
    fn list(self, text: &mut String, start: &str, lines: Vec<String>) {
        let more = lines.len().saturating_sub(self.lines);
        for line in lines.into_iter().take(self.lines) {
            let _ = writeln!(text, "{start}{}", self.line(&line));
        }
        if more > 0 {
            let _ = writeln!(text, "{start}- … and {more} more, in the output of `pipectl plan`");
        }
    }

    /// A text on one line, short enough where it has to be.
    fn line(self, text: &str) -> String {
        let flat = text.replace(['\n', '\r'], " ");
        if self.lines == usize::MAX || flat.chars().count() <= LINE {
            return flat;
        }
        let start: String = flat.chars().take(LINE - 1).collect();
        format!("{start}…")
    }
}

/// A line of a section of the text form as an item of a list; deeper ones as items of items.
fn as_item(line: &str) -> String {
    let rest = line.trim_start();
    let depth = (line.len() - rest.len()).saturating_sub(2);
    let numbered = rest.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let item = match (depth, numbered) {
        (0, _) => format!("- {rest}"),
        (_, true) => rest.to_owned(),
        (_, false) => format!("- `{rest}`"),
    };
    format!("{}{item}", " ".repeat(depth))
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
