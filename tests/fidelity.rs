//! Every change set that AWS described for a recording, served to `pipectl plan`: each change in it must be shown, with
//! the right action and the right values. docs/fidelity.md is the table of it.

mod account;
mod agreement;
mod recording;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;

use crate::support::{Test, root};
use account::{Account, Served};
use agreement::{Agreement, Outcome, compare, outcome};
use recording::{Recording, WRITTEN};

/// The stacks whose change sets are recordings: no other stack needs their outputs.
const STACKS: [&str; 3] = ["shop-dev-warehouse", "shop-dev-monitoring", "shop-dev-analytics"];
/// What stands before this line is written by hand, what follows it is generated.
const MARK: &str = "<!-- The rest is generated: PIPECTL_UPDATE=1 cargo test recorded_change_set -->\n";

/// How a change set is described.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    WithValues,
    Without,
    /// With values, but CloudFormation says that they are not complete.
    Incomplete,
}

/// One plan of one recording.
struct Case {
    recording: usize,
    way: Way,
    served: Served,
    outcome: Outcome,
}

#[test]
fn every_recorded_change_set_is_reproduced() {
    let Some(test) = Test::packaged() else { return };
    let mut recordings = recording::written();
    recordings.extend(recording::all().unwrap_or_default());
    let test = credentials(test);
    let rendered = test.run(&["render", "--env", "dev", "--out", "rendered"]);
    assert!(rendered.starts_with("exit code: 0"), "{rendered}");
    let templates = templates(&test);
    let cases: Vec<Case> =
        recordings.iter().enumerate().flat_map(|(index, recording)| cases(index, recording)).collect();
    let results = plan_all(&test, &templates, &cases);
    let mut by_recording: BTreeMap<usize, BTreeMap<Way, &Agreement>> = BTreeMap::new();
    for (case, agreement) in cases.iter().zip(&results) {
        by_recording.entry(case.recording).or_default().insert(case.way, agreement);
    }
    let mut wrong = String::new();
    let mut table = Table::default();
    for (index, ways) in &by_recording {
        let recording = &recordings[*index];
        for agreement in ways.values() {
            for difference in &agreement.differences {
                let _ = writeln!(wrong, "{} {} {}: {difference}", recording.file, recording.test, recording.label);
            }
        }
        table.add(recording, ways);
    }
    println!("{} plans of {} recorded change sets", cases.len(), by_recording.len());
    assert!(wrong.is_empty(), "the plan differs from what was recorded:\n{wrong}");
    table.compare();
}

fn credentials(test: Test) -> Test {
    test.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test")
}

/// The templates of the project's stacks, as a deploy would have left them.
fn templates(test: &Test) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(test.path("rendered")).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (format!("shop-dev-{name}"), std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The ways in which a change set can be described, as far as the recording holds them.
fn cases(index: usize, recording: &Recording) -> Vec<Case> {
    let settled = |answer: &Option<Value>| {
        let mut answer = answer.clone()?;
        // What was recorded while it was being made is shown once it is there.
        if !matches!(answer["Status"].as_str(), Some("FAILED" | "DELETE_COMPLETE" | "DELETE_FAILED")) {
            answer["Status"] = "CREATE_COMPLETE".into();
        }
        Some(answer)
    };
    let (with_values, without) = (settled(&recording.with_values), settled(&recording.without));
    let mut ways = Vec::new();
    if let Some(with_values) = &with_values {
        ways.push((Way::WithValues, Served::as_recorded(Some(with_values), without.as_ref())));
    }
    if let Some(without) = &without {
        ways.push((Way::Without, Served::as_recorded(None, Some(without))));
    }
    if let (Some(with_values), Some(without)) = (&with_values, &without) {
        ways.push((Way::Incomplete, Some(Served::incomplete(with_values, without))));
    }
    let case = |(way, served): (Way, Option<Served>)| {
        let served = served?;
        Some(Case { recording: index, way, outcome: outcome(&served), served })
    };
    ways.into_iter().filter_map(case).collect()
}

/// Plans all cases, a few in one run, runs side by side. A case that fails the run goes alone.
fn plan_all(test: &Test, templates: &BTreeMap<String, String>, cases: &[Case]) -> Vec<Agreement> {
    let (refused, shown): (Vec<usize>, Vec<usize>) =
        (0..cases.len()).partition(|index| matches!(cases[*index].outcome, Outcome::Refused(_)));
    let concurrent_deploys = shown.chunks(STACKS.len()).map(<[usize]>::to_vec);
    let batches: Mutex<Vec<Vec<usize>>> =
        Mutex::new(concurrent_deploys.chain(refused.iter().map(|index| vec![*index])).collect());
    let results: Mutex<BTreeMap<usize, Agreement>> = Mutex::default();
    let work = || {
        while let Some(batch) = { batches.lock().unwrap().pop() } {
            let found = plan(test, templates, &batch.iter().map(|index| &cases[*index]).collect::<Vec<_>>());
            match found {
                None if batch.len() > 1 => batches.lock().unwrap().extend(batch.iter().map(|index| vec![*index])),
                found => results.lock().unwrap().extend(batch.into_iter().zip(found.into_iter().flatten())),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let results = results.into_inner().unwrap();
    assert_eq!(results.len(), cases.len());
    results.into_values().collect()
}

/// Makes one plan with a change set for each of the first stacks. None if it failed because of one of several.
fn plan(test: &Test, templates: &BTreeMap<String, String>, cases: &[&Case]) -> Option<Vec<Agreement>> {
    let change_sets = STACKS.iter().zip(cases).map(|(stack, case)| ((*stack).to_owned(), case.served.clone()));
    let account = Account { templates: templates.clone(), change_sets: change_sets.collect() };
    let (address, asked) = account.start();
    let mut command: Command = test.command(&["plan", "--env", "dev", "--format", "json"]);
    let output = command.env("AWS_ENDPOINT_URL", address).output().unwrap();
    let printed_text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let [case] = cases else { return None };
        let mut agreement = Agreement::default();
        match &case.outcome {
            Outcome::Refused(reason)
                if output.status.code() == Some(1) && flat(&printed_text).contains(&flat(reason)) =>
            {
                agreement.notes.insert(format!("refused: {}", flat(reason)));
            }
            _ => agreement.differences.push(format!("the plan failed: {printed_text}")),
        }
        return Some(vec![agreement]);
    }
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let asked: BTreeSet<String> = asked.lock().unwrap().iter().cloned().collect();
    let found = STACKS.iter().zip(cases).map(|(name, case)| {
        let stack = plan["stacks"].as_array().into_iter().flatten().find(|stack| stack["stack_name"] == **name);
        let mut agreement = compare(&case.outcome, stack.unwrap_or(&Value::Null));
        let others = case.served.with_values["Changes"].as_array().into_iter().flatten();
        for other in others.filter(|change| change["ResourceChange"].is_null()) {
            let kind = other["Type"].as_str().unwrap_or("unknown");
            let printed = stack.is_some_and(|stack| stack["notes"].to_string().contains(&format!("`{kind}`")));
            let what = format!("a change of the type `{kind}` is");
            if printed {
                agreement.notes.insert(format!("{what} named in a note"));
            } else {
                agreement.differences.push(format!("{what} not told"));
            }
        }
        if !asked.contains(*name) {
            agreement.differences.push("no change set was asked for".to_owned());
        }
        agreement
    });
    Some(found.collect())
}

/// A text on one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The table of docs/fidelity.md.
#[derive(Default)]
struct Table {
    rows: Vec<String>,
}

impl Table {
    fn add(&mut self, recording: &Recording, ways: &BTreeMap<Way, &Agreement>) {
        let cell = |way: Way| match ways.get(&way) {
            None => "not recorded".to_owned(),
            Some(agreement) => format!("{} of {}", agreement.shown, agreement.recorded),
        };
        let mut notes: BTreeSet<String> = ways.values().flat_map(|agreement| agreement.notes.iter().cloned()).collect();
        if let (Some(with), Some(without)) = (ways.get(&Way::WithValues), ways.get(&Way::Without))
            && with.recorded < without.recorded
        {
            notes.insert("asked for values, CloudFormation leaves out what they show to stay as it is".to_owned());
        }
        let Recording { file, test, label, .. } = recording;
        let agree = if ways.values().all(|agreement| agreement.differences.is_empty()) { "yes" } else { "**no**" };
        let (with, without, incomplete) = (cell(Way::WithValues), cell(Way::Without), cell(Way::Incomplete));
        let notes: Vec<String> = notes.into_iter().map(|note| note.replace('|', "\\|")).collect();
        let test = test.replace('|', "\\|");
        self.rows.push(format!(
            "| {file} | {test} | {label} | {with} | {without} | {incomplete} | {agree} | {} |",
            notes.join("; ")
        ));
    }

    /// The rows of the document are those of these recordings. Recordings that it does not name were compared like all
    /// others: the document has those that existed when it was written.
    fn compare(&self) {
        let path = root().join("docs/fidelity.md");
        let committed = std::fs::read_to_string(&path).unwrap();
        let (introduction, generated) = committed.split_once(MARK).unwrap();
        if std::env::var_os("PIPECTL_UPDATE").is_some() {
            std::fs::write(&path, format!("{introduction}{MARK}{}", generated_part(&self.rows))).unwrap();
            return;
        }
        let rows: Vec<String> = generated
            .lines()
            .filter(|line| line.contains(".json |") || line.starts_with(&format!("| {WRITTEN} |")))
            .map(str::to_owned)
            .collect();
        assert_eq!(generated, generated_part(&rows), "run the test with PIPECTL_UPDATE=1");
        let key = |row: &str| row.split(" | ").take(3).collect::<Vec<_>>().join(" | ");
        let computed: BTreeMap<String, &String> = self.rows.iter().map(|row| (key(row), row)).collect();
        let known = rows.iter().filter_map(|row| Some((row, *computed.get(&key(row))?)));
        let mut count = 0;
        for (row, computed) in known {
            assert_eq!(row, computed, "run the test with PIPECTL_UPDATE=1");
            count += 1;
        }
        println!("{count} of {} recorded change sets are in docs/fidelity.md", self.rows.len());
    }
}

fn generated_part(rows: &[String]) -> String {
    let agree = rows.iter().filter(|row| row.contains(" | yes | ")).count();
    let written = rows.iter().filter(|row| row.starts_with(&format!("| {WRITTEN} |"))).count();
    let mut text = format!(
        "\n{} change sets, {written} of them written by hand; {agree} of them are shown as they are.\n\n",
        rows.len()
    );
    text.push_str("| file | test | change set | with values | without | incomplete | agrees | note |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    text
}
