//! Glue workflows: batching of events, and triggers that follow jobs. Time is simulated, never waited.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Stop;
use pipectl_core::resource::{Resource, Resources};

/// Events that wait for their batch, by the name of the trigger.
#[derive(Debug, Clone, Default)]
pub struct Workflows {
    waiting: BTreeMap<String, Waiting>,
}

#[derive(Debug, Clone)]
struct Waiting {
    events: u64,
    size: u64,
    /// When the window closes, in simulated seconds.
    closes: u64,
}

/// A trigger that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggered {
    pub trigger: String,
    pub workflow: String,
    /// The names of the jobs that it starts.
    pub jobs: Vec<String>,
    /// How many events it has taken.
    pub events: u64,
    /// Why it fired now: `20 events`, or `300 s after the first event`.
    pub because: String,
}

/// Glue's default for a trigger without a batching condition: every event starts a run.
const DEFAULT_WINDOW: u64 = 900;

impl Workflows {
    /// A workflow gets an event. Fires when its batch is full; answers nothing while it waits.
    ///
    /// A workflow without an EVENT trigger takes no events: `Err`.
    pub fn notify(&mut self, resources: &Resources, workflow: &str, now: u64) -> Result<Option<Triggered>, Stop> {
        let trigger = triggers(resources, workflow).find(|trigger| trigger.text("/Type") == Some("EVENT"));
        let trigger = trigger.ok_or_else(|| no_start(resources, workflow))?;
        let size = trigger.number("/EventBatchingCondition/BatchSize").unwrap_or(1);
        let window = trigger.number("/EventBatchingCondition/BatchWindow").unwrap_or(DEFAULT_WINDOW);
        let waiting =
            self.waiting.entry(trigger.name.clone()).or_insert(Waiting { events: 0, size, closes: now + window });
        waiting.events += 1;
        if waiting.events < waiting.size {
            return Ok(None);
        }
        let events = self.waiting.remove(&trigger.name).map_or(0, |waiting| waiting.events);
        let because = if events == 1 { "1 event".to_owned() } else { format!("{events} events") };
        Ok(Some(fire(trigger, events, because)))
    }

    /// A run that somebody asks for, without an event and without a wait.
    pub fn run(&self, resources: &Resources, workflow: &str) -> Result<Triggered, String> {
        let mut first = triggers(resources, workflow).filter(|trigger| trigger.text("/Type") != Some("CONDITIONAL"));
        let trigger = first.next().ok_or_else(|| format!("the workflow `{workflow}` has no trigger to start with"))?;
        Ok(fire(trigger, 0, "asked for".to_owned()))
    }

    /// The simulated time at which the next window closes.
    pub fn next_close(&self) -> Option<u64> {
        self.waiting.values().map(|waiting| waiting.closes).min()
    }

    /// Fires the triggers whose windows have closed.
    pub fn close(&mut self, resources: &Resources, now: u64) -> Vec<Triggered> {
        let closed: Vec<String> =
            self.waiting.iter().filter(|(_, waiting)| waiting.closes <= now).map(|(name, _)| name.clone()).collect();
        let mut fired = Vec::new();
        for name in closed {
            let events = self.waiting.remove(&name).map_or(0, |waiting| waiting.events);
            if let Some(trigger) = resources.named("AWS::Glue::Trigger", &name) {
                let window = trigger.number("/EventBatchingCondition/BatchWindow").unwrap_or(DEFAULT_WINDOW);
                fired.push(fire(trigger, events, format!("{window} s after the first event")));
            }
        }
        fired
    }
}

/// The SCHEDULED triggers, each with its cron expression.
pub fn scheduled(resources: &Resources) -> Vec<Triggered> {
    let scheduled = resources.of("AWS::Glue::Trigger").filter(|trigger| {
        // A trigger that was not activated waits for ever.
        trigger.text("/Type") == Some("SCHEDULED") && trigger.is_true("/StartOnCreation")
    });
    scheduled.map(|trigger| fire(trigger, 0, trigger.text("/Schedule").unwrap_or_default().to_owned())).collect()
}

/// The CONDITIONAL triggers of a workflow that fire now that these jobs of its run have ended.
///
/// `states` are the jobs that were started by a trigger of this run; `latest` is the one that has just ended.
pub fn follow(
    resources: &Resources,
    workflow: &str,
    states: &BTreeMap<String, String>,
    latest: &str,
) -> Vec<Triggered> {
    let conditional = triggers(resources, workflow).filter(|trigger| {
        // A trigger that was not activated waits for ever.
        trigger.text("/Type") == Some("CONDITIONAL") && trigger.is_true("/StartOnCreation")
    });
    conditional
        .filter(|trigger| {
            let conditions = trigger.list("/Predicate/Conditions");
            let holds = |condition: &Value| {
                let text = |name| condition.get(name).and_then(Value::as_str);
                text("JobName").and_then(|job| states.get(job)).map(String::as_str) == text("State")
            };
            let names_latest =
                conditions.iter().any(|condition| condition.get("JobName").and_then(Value::as_str) == Some(latest));
            let any = trigger.text("/Predicate/Logical") == Some("ANY");
            names_latest && if any { conditions.iter().any(holds) } else { conditions.iter().all(holds) }
        })
        .map(|trigger| {
            fire(trigger, 0, format!("{latest} {}", states.get(latest).map_or("", String::as_str).to_lowercase()))
        })
        .collect()
}

/// Why nothing starts a workflow: where its first trigger should be one for events.
fn no_start(resources: &Resources, workflow: &str) -> Stop {
    let (why, fix) = ("no trigger of type EVENT starts it", "give the first trigger of the workflow `Type: EVENT`");
    let first = triggers(resources, workflow).find(|trigger| trigger.get("/Predicate").is_none());
    match first.or_else(|| resources.named("AWS::Glue::Workflow", workflow)) {
        Some(resource) => {
            let stop = Stop::new(resource, &["Type"], why, fix);
            Stop { hop: format!("workflow `{workflow}`"), ..stop }
        }
        None => Stop { hop: format!("workflow `{workflow}`"), why: why.into(), span: None, fix: fix.into() },
    }
}

/// The states in which a job can end.
const ENDS: [&str; 5] = ["SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR"];

/// What keeps triggers of a workflow from ever firing, or from starting their jobs.
pub fn broken(resources: &Resources, workflow: &str) -> Vec<Stop> {
    let mut stops = Vec::new();
    let started: Vec<&str> = triggers(resources, workflow)
        .flat_map(|trigger| trigger.list("/Actions"))
        .filter_map(|action| action.get("JobName")?.as_str())
        .collect();
    for trigger in triggers(resources, workflow) {
        for (index, action) in trigger.list("/Actions").iter().enumerate() {
            if let Some(job) = action.get("JobName").and_then(Value::as_str)
                && resources.named("AWS::Glue::Job", job).is_none()
            {
                let why = format!("it starts the job `{job}`, which does not exist");
                let path = ["Actions", &index.to_string(), "JobName"];
                stops.push(Stop::new(trigger, &path, why, "name a job of the stack `glue`"));
            }
        }
        if trigger.text("/Type") != Some("CONDITIONAL") {
            continue;
        }
        if !trigger.is_true("/StartOnCreation") {
            let (why, fix) = ("it is not activated", "set `StartOnCreation: true`");
            stops.push(Stop::new(trigger, &["StartOnCreation"], why, fix));
        }
        for (index, condition) in trigger.list("/Predicate/Conditions").iter().enumerate() {
            let text = |name: &str| condition.get(name).and_then(Value::as_str);
            let index = index.to_string();
            let path = |name| ["Predicate", "Conditions", &index, name];
            if let Some(job) = text("JobName").filter(|job| !started.contains(job)) {
                let why = format!("it waits for the job `{job}`, which no trigger of the workflow starts");
                let fix = format!("wait for one of {}", started.join(", "));
                stops.push(Stop::new(trigger, &path("JobName"), why, fix));
            }
            if let Some(state) = text("State").filter(|state| !ENDS.contains(state)) {
                let why = format!("no job ends as `{state}`");
                stops.push(Stop::new(trigger, &path("State"), why, format!("use one of {}", ENDS.join(", "))));
            }
        }
    }
    stops
}

fn triggers<'a>(resources: &'a Resources, workflow: &'a str) -> impl Iterator<Item = &'a Resource> {
    resources.of("AWS::Glue::Trigger").filter(move |trigger| trigger.text("/WorkflowName") == Some(workflow))
}

fn fire(trigger: &Resource, events: u64, because: String) -> Triggered {
    let jobs = trigger.list("/Actions").iter().filter_map(|action| action.get("JobName")?.as_str()).map(str::to_owned);
    Triggered {
        trigger: trigger.name.clone(),
        workflow: trigger.text("/WorkflowName").unwrap_or_default().to_owned(),
        jobs: jobs.collect(),
        events,
        because,
    }
}
