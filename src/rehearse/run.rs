//! The run: what arrives starts what the templates say, until nothing is left to happen.
//!
//! One thing happens at a time, so that a run reads the same every time. Waiting that AWS would do (a batching window,
//! the pause before a retry) passes in simulated time.

mod failures;
mod replicate;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::local::ObjectEvent;

use super::alerts::Metrics;
use super::folder::Folders;
use super::glue::Job;
use super::judge::{self, Touched};
use super::place::Place;
use super::resource::Resource;
use super::runtime::{Invocation, Level, Outcome, Runtime};
use super::source::{self, Arrival};
use super::timeline::{Kind, Severity, Timeline};
use super::wiring::{self, ObjectWritten, Stop, Target, Triggered, Workflows};

/// More than any pipeline needs; beyond it something turns in a circle.
const MOST_STEPS: usize = 2_000;

/// How long the bus stays open for an event of a statement that has just ended.
const GAP: Duration = Duration::from_millis(60);

/// Something that is to happen.
#[derive(Debug)]
enum Due {
    Object(ObjectWritten),
    Event {
        event: Value,
        by: String,
        /// Whether the pipeline is to go on after it: not after a job that had nothing to do, nor after a failure.
        goes_on: bool,
    },
    Call {
        function: String,
        event: Value,
    },
    Start(Triggered),
}

/// A run under way.
pub(super) struct Run<'a> {
    place: &'a mut Place,
    /// The bucket in which objects arrive.
    raw: &'a str,
    status: &'a (dyn Fn(&str) + Sync),
    pub(super) timeline: Timeline,
    due: VecDeque<Due>,
    workflows: Workflows,
    functions: BTreeMap<String, Runtime>,
    /// What kept the last event that came to nothing from the rules.
    pub(super) dead_end: Vec<Stop>,
    /// The simulated time, in seconds.
    clock: u64,
    /// The job or function that runs: what is written meanwhile was written by it.
    actor: Option<Actor>,
    folders: Folders,
    /// The sources of the user's own that run.
    pub(super) own: BTreeSet<String>,
    metrics: Metrics,
    runs: u64,
    calls: u64,
    done: usize,
}

/// Who writes, and what started it.
#[derive(Debug, Clone)]
struct Actor {
    name: String,
    /// The workflow of a job, or the function itself.
    started_as: Target,
    /// The role of a job, and what its Spark has read: that crosses no wire, so it is judged here.
    spark: Option<(String, Vec<String>)>,
}

impl<'a> Run<'a> {
    pub(super) fn new(place: &'a mut Place, raw: &'a str, status: &'a (dyn Fn(&str) + Sync)) -> Self {
        let folders = Folders::look(&place.buckets);
        Self {
            place,
            raw,
            status,
            timeline: Timeline::new(),
            due: VecDeque::new(),
            workflows: Workflows::default(),
            functions: BTreeMap::new(),
            dead_end: Vec::new(),
            clock: 0,
            actor: None,
            folders,
            own: BTreeSet::new(),
            metrics: Metrics::default(),
            runs: 0,
            calls: 0,
            done: 0,
        }
    }

    /// Puts the files, fires each schedule once, and goes on until it is quiet.
    pub(super) async fn all(&mut self, arrivals: &[Arrival]) -> Result<()> {
        self.place.judge.standby(&self.place.resources);
        self.take_waiting();
        self.put(arrivals).await?;
        self.start_replications().await?;
        self.fire_schedules();
        self.fire_jobs();
        let mut quiet = self.until_quiet().await;
        for step in 0..self.place.databases.steps() {
            if quiet.is_ok() {
                quiet = self.change_databases(step).await;
            }
        }
        self.look_at_alarms();
        for runtime in self.functions.values_mut() {
            runtime.stop().await;
        }
        quiet
    }

    async fn put(&mut self, arrivals: &[Arrival]) -> Result<()> {
        let client = source::client(&self.place.endpoint, &self.place.resources.region);
        for arrival in arrivals {
            (self.status)(&format!("putting {}", arrival.key));
            let began = Instant::now();
            source::put(&client, self.raw, arrival).await?;
            let size = fs_err::metadata(&arrival.path)?.len();
            self.timeline.ended(Kind::File, &arrival.key, super::report::size(size), began.elapsed(), false);
        }
        self.listen();
        self.folders = Folders::look(&self.place.buckets);
        Ok(())
    }

    fn fire_schedules(&mut self) {
        for scheduled in wiring::schedules(&self.place.resources, &self.place.judge) {
            match scheduled.function {
                Ok(function) if self.has_no_data(&function) => {}
                Ok(function) => {
                    self.timeline.happened(Kind::Schedule, &scheduled.schedule, &scheduled.expression);
                    let event = serde_json::from_str(&scheduled.input).unwrap_or_default();
                    self.due.push_back(Due::Call { function, event });
                }
                Err(stop) => self.stopped(&stop),
            }
        }
    }

    /// Fires each schedule of a Glue job once.
    fn fire_jobs(&mut self) {
        let fired = wiring::scheduled(&self.place.resources);
        for triggered in fired {
            if !triggered.jobs.iter().all(|job| self.has_no_database(job)) {
                self.due.push_back(Due::Start(triggered));
            }
        }
    }

    /// Lets the next thing happen in the databases, and their schedules come round again.
    async fn change_databases(&mut self, step: usize) -> Result<()> {
        for (source, file) in self.place.databases.change(step).await? {
            let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.timeline.happened(Kind::Database, &source, &file);
        }
        self.follow_databases().await?;
        self.fire_jobs();
        self.until_quiet().await
    }

    /// Whether a job reads a database that has no server here: it is left alone.
    fn has_no_database(&mut self, job: &str) -> bool {
        let resource = self.place.resources.named("AWS::Glue::Job", job);
        let Some(source) = resource.and_then(|resource| resource.text("/DefaultArguments/--source")) else {
            return false;
        };
        if self.place.databases.get(source).is_some() {
            return false;
        }
        let left_out = self.place.databases.left_out.iter().find(|(name, _)| name == source);
        let (severity, text) = match left_out {
            Some((_, why)) => (Severity::Warning, format!("the source `{source}` was left out\n{why}")),
            None => (
                Severity::Note,
                format!(
                    "the source `{source}` was left out: it has no data here, and `{job}` would call the real database\n\
                     to rehearse it too, give it data: --data {source}=DIR"
                ),
            ),
        };
        self.timeline.find(severity, text);
        true
    }

    async fn until_quiet(&mut self) -> Result<()> {
        loop {
            self.listen();
            if let Some(due) = self.due.pop_front() {
                self.done += 1;
                if self.done > MOST_STEPS {
                    let text = format!("the pipeline does not come to rest: stopped after {MOST_STEPS} events");
                    self.timeline.find(Severity::Error, text);
                    return Ok(());
                }
                self.happen(due).await?;
            } else if self.place.running_statements().await > 0 {
                (self.status)("waiting for the warehouse");
                self.wait_for_statement(Duration::from_millis(100)).await;
            } else if self.wait_for_statement(GAP).await {
                // What has come is due now.
            } else if let Some(close) = self.workflows.next_close() {
                self.clock = self.clock.max(close);
                let fired = self.workflows.close(&self.place.resources, self.clock);
                self.due.extend(fired.into_iter().map(Due::Start));
            } else {
                return Ok(());
            }
        }
    }

    /// Takes what has come over the channels.
    fn listen(&mut self) {
        while let Ok(object) = self.place.objects.try_recv() {
            self.due.push_back(Due::Object(written(object)));
        }
        while let Ok(event) = self.place.statements.try_recv() {
            self.due.push_back(Due::Event { event, by: "the Redshift Data API".into(), goes_on: true });
        }
    }

    async fn wait_for_statement(&mut self, limit: Duration) -> bool {
        match tokio::time::timeout(limit, self.place.statements.recv()).await {
            Ok(Some(event)) => {
                self.due.push_back(Due::Event { event, by: "the Redshift Data API".into(), goes_on: true });
                true
            }
            _ => false,
        }
    }

    async fn happen(&mut self, due: Due) -> Result<()> {
        match due {
            Due::Object(object) => self.object(&object),
            Due::Event { event, by, goes_on } => {
                self.statement_ended(&event).await;
                let (reached, stops) = self.deliver(&event, &by);
                if reached {
                    self.dead_end.clear();
                } else if goes_on {
                    self.dead_end = stops;
                }
            }
            Due::Call { function, event } => self.call(&function, &event).await?,
            Due::Start(triggered) => self.start(&triggered).await?,
        }
        Ok(())
    }

    /// An object was written: the trail or the bucket tells the bus.
    fn object(&mut self, object: &ObjectWritten) {
        self.place.judge.replicated(&self.place.resources, &object.bucket, &object.key);
        let (sent, mut stops) = wiring::object_events(&self.place.resources, object);
        let mut reached = false;
        for sent in &sent {
            if let Some(trail) = sent.by.strip_prefix("trail ") {
                self.place.judge.recorded(&self.place.resources, trail);
            }
            let (one, more) = self.deliver(&sent.event, &format!("{}: {}", folder(&object.key), sent.by));
            reached |= one;
            stops.extend(more);
        }
        // Only what lands is meant to start something.
        if !reached && object.bucket == self.raw && object.key.starts_with("landing/") {
            let text = format!("nothing starts when s3://{}/{} arrives", object.bucket, object.key);
            self.timeline.find(Severity::Error, format!("{text}\n{}", explain(&stops)));
        }
    }

    /// Gives an event to the rules. Answers whether a workflow or function was reached, and what kept it from others.
    fn deliver(&mut self, event: &Value, by: &str) -> (bool, Vec<Stop>) {
        let (deliveries, stops) = wiring::deliver(&self.place.resources, &self.place.judge, event);
        let mut reached = false;
        for delivery in deliveries {
            match &delivery.target {
                Err(stop) => {
                    self.stopped(stop);
                    self.not_delivered(&delivery, event, stop);
                }
                Ok(target) => {
                    let target = target.clone();
                    let loops = event["source"] == "aws.s3"
                        && self.actor.as_ref().is_some_and(|actor| actor.started_as == target);
                    if loops {
                        let rule = self.place.resources.named("AWS::Events::Rule", &delivery.rule);
                        let text = looping(rule, &target, self.actor.as_ref(), by);
                        self.timeline.find(Severity::Error, text);
                        continue;
                    }
                    reached |= !matches!(target, Target::Recorded(_));
                    self.timeline.happened(Kind::Event, by, format!("rule {} → {}", delivery.rule, name(&target)));
                    self.rule_triggered(&delivery, event);
                    self.reach(target, event);
                }
            }
        }
        (reached, stops)
    }

    fn reach(&mut self, target: Target, event: &Value) {
        match target {
            Target::Function(function) => self.due.push_back(Due::Call { function, event: event.clone() }),
            Target::Workflow(workflow) => match self.workflows.notify(&self.place.resources, &workflow, self.clock) {
                Ok(Some(triggered)) => self.due.push_back(Due::Start(triggered)),
                Ok(None) => {}
                Err(stop) => self.stopped(&stop),
            },
            Target::Recorded(_) => {}
        }
    }

    fn stopped(&mut self, stop: &Stop) {
        self.timeline.find(Severity::Error, Error::from(stop).to_string());
    }

    /// Records the end of a statement.
    async fn statement_ended(&mut self, event: &Value) {
        let text = |name: &str| event["detail"][name].as_str().unwrap_or_default().to_owned();
        let (id, name, state) = (text("statementId"), text("statementName"), text("state"));
        if event["source"] != "aws.redshift-data" {
            return;
        }
        let known = self.place.statement(&id).await;
        let took = Duration::from_nanos(known["Duration"].as_u64().unwrap_or_default());
        let parts = known["SubStatements"].as_array().map_or(1, Vec::len);
        let detail = if parts == 1 { "1 statement".to_owned() } else { format!("{parts} statements, one transaction") };
        let failed = state != "FINISHED";
        self.timeline.ended(Kind::Statement, &short(&name), detail, took, failed);
        if failed {
            let why = known["Error"].as_str().unwrap_or("no reason was given");
            self.timeline.find(Severity::Error, format!("the statement `{name}` ended as {state}: {why}"));
        }
    }

    /// Whether a function reads a source that has no stand-in: it would call the real shop, so it is left alone.
    fn has_no_data(&mut self, name: &str) -> bool {
        let resource = self.place.resources.named("AWS::Lambda::Function", name);
        let Some(source) = resource.and_then(|resource| resource.text("/Environment/Variables/SOURCE")) else {
            return false;
        };
        if self.place.shops.contains_key(source) {
            return false;
        }
        if self.own.contains(source) {
            let secret = resource.and_then(|resource| resource.text("/Environment/Variables/SECRET_NAME"));
            let Some(secret) = secret.filter(|name| self.place.account.secret_value(name).is_none()) else {
                return false;
            };
            let text = format!(
                "the Lambda of the source `{source}` was left out: its secret `{secret}` is empty here\n\
                 to rehearse it too: --secret {source}=FILE"
            );
            self.timeline.find(Severity::Note, text);
            return true;
        }
        if resource.and_then(|resource| resource.text("/Environment/Variables/STATE_KEY")).is_some() {
            let text = format!("the Lambda of the source `{source}` was left out\nto rehearse it too: --data {source}");
            self.timeline.find(Severity::Note, text);
            return true;
        }
        let text = format!(
            "the source `{source}` was left out: it has no data here, and `{name}` would call the real shop\n\
             to rehearse it too, give it data: --data {source}=DIR"
        );
        self.timeline.find(Severity::Note, text);
        true
    }

    /// Calls a function as an event does: what fails is tried again, as often as the template says.
    async fn call(&mut self, name: &str, event: &Value) -> Result<()> {
        if self.has_no_data(name) {
            return Ok(());
        }
        let mut runtime = match self.functions.remove(name) {
            Some(runtime) => runtime,
            None => match self.place.resources.named("AWS::Lambda::Function", name) {
                Some(resource) => Runtime::new(self.place.function(resource)?),
                None => return Ok(()),
            },
        };
        (self.status)(&format!("lambda {name}"));
        let retries = self
            .place
            .resources
            .of("AWS::Lambda::EventInvokeConfig")
            .find(|config| config.text("/FunctionName") == Some(name))
            .and_then(|config| config.number("/MaximumRetryAttempts"))
            .unwrap_or(2);
        self.calls += 1;
        let request = format!("00000000-0000-4000-8000-{:012x}", self.calls);
        self.actor = Some(Actor { name: name.to_owned(), started_as: Target::Function(name.to_owned()), spark: None });
        for attempt in 0..=retries {
            let invocation = runtime.invoke(&request, Bytes::from(event.to_string())).await;
            if let Some(resource) = self.place.resources.named("AWS::Lambda::Function", name) {
                let wrote = !invocation.log.lines.is_empty();
                self.place.judge.function_ran(&self.place.resources, resource, wrote);
            }
            self.attempted(name, &runtime.function().log_group, &invocation);
            let succeeded = self.called(&runtime, &invocation, attempt, retries);
            self.listen_as_actor();
            if succeeded {
                break;
            }
            if attempt == retries {
                self.failed_for_good(name, &request, event, attempt + 1, &invocation.outcome);
            }
            // Lambda waits one minute, then two.
            self.clock += 60 * (attempt + 1);
        }
        self.actor = None;
        self.functions.insert(name.to_owned(), runtime);
        Ok(())
    }

    /// Records an invocation; answers whether it was a success.
    fn called(&mut self, runtime: &Runtime, invocation: &Invocation, attempt: u64, retries: u64) -> bool {
        let function = runtime.function();
        let name = &function.name;
        let used = invocation.memory.div_ceil(1024 * 1024);
        let mut details = vec![format!("{used} of {} MB", function.memory)];
        if let Some(init) = invocation.init {
            details.push(format!("init {:.0} ms", init.as_secs_f64() * 1000.0));
        }
        if attempt > 0 {
            details.push(format!("retry {attempt}"));
        }
        match &invocation.outcome {
            Outcome::Success(value) => {
                // Of a failure, the outcome itself tells.
                for line in invocation.log.at_least(Level::Error) {
                    let text = format!("the log of `{name}` has an error: {}", line.message);
                    self.timeline.find(Severity::Warning, text);
                }
                details.extend(summary(value));
                self.timeline.ended(Kind::Function, name, details.join(", "), invocation.duration, false);
                true
            }
            Outcome::Failure { kind, message } => {
                details.push(kind.clone());
                self.timeline.ended(Kind::Function, name, details.join(", "), invocation.duration, true);
                let text = format!("the function `{name}` failed: {kind}: {message}");
                if attempt < retries {
                    self.timeline.find(Severity::Warning, format!("{text} (it was tried again)"));
                } else {
                    let last = invocation.log.lines.iter().rev().take(5).map(|line| line.message.as_str());
                    let last: Vec<&str> = last.collect::<Vec<_>>().into_iter().rev().collect();
                    let log =
                        if last.is_empty() { String::new() } else { format!("\nits log ends:\n{}", last.join("\n")) };
                    self.timeline.find(Severity::Error, format!("{text}{log}"));
                }
                false
            }
        }
    }

    /// A run of a workflow: its jobs one after another, as the triggers chain them.
    async fn start(&mut self, first: &Triggered) -> Result<()> {
        for stop in wiring::broken(&self.place.resources, &first.workflow) {
            self.stopped(&stop);
        }
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        let mut triggers = VecDeque::from([first.clone()]);
        while let Some(triggered) = triggers.pop_front() {
            self.timeline.happened(Kind::Trigger, &triggered.trigger, &triggered.because);
            for job in &triggered.jobs {
                let state = self.job(job, &triggered.workflow).await?;
                states.insert(job.clone(), state);
                triggers.extend(wiring::follow(&self.place.resources, &triggered.workflow, &states, job));
            }
        }
        Ok(())
    }

    /// Runs a job and tells the bus of its end.
    async fn job(&mut self, name: &str, workflow: &str) -> Result<String> {
        let Some(resource) = self.place.resources.named("AWS::Glue::Job", name) else {
            return Ok("FAILED".into());
        };
        self.runs += 1;
        let run = format!("jr_{:08}", self.runs);
        let environment = self.place.job_environment(resource);
        let job = Job::of(resource, &run, workflow, environment);
        let log_prefix = resource.text("/DefaultArguments/--custom-logGroup-prefix").map(str::to_owned);
        if self.runs == 1 {
            (self.status)("waiting for Spark to start");
            let began = Instant::now();
            let version = self.place.glue.ready().await?.to_owned();
            if began.elapsed() > Duration::from_millis(500) {
                let waited = format!("{version} was waited for");
                self.timeline.ended(Kind::Job, "Spark", waited, began.elapsed(), false);
            }
        }
        self.place.judge.job_ran(&self.place.resources, resource);
        let role = resource.text("/Role").unwrap_or_default().to_owned();
        (self.status)(&format!("glue job {name}"));
        let began = Instant::now();
        let ended = self.place.glue.run(&job).await?;
        self.job_logged(log_prefix.as_deref(), &ended.output);
        let failed = ended.state != "SUCCEEDED";
        self.timeline.ended(Kind::Job, name, last_word(&ended.output), began.elapsed(), failed);
        let started_as = Target::Workflow(workflow.to_owned());
        self.actor = Some(Actor { name: name.to_owned(), started_as, spark: Some((role, ended.reads)) });
        let goes_on = self.listen_as_actor();
        self.actor = None;
        let message = ended.error.unwrap_or_default();
        if failed {
            self.timeline.find(Severity::Error, format!("the job `{name}` ended as {}: {message}", ended.state));
        }
        let event = wiring::job_state_change(&self.place.resources, name, &run, &ended.state, &message);
        self.due.push_back(Due::Event { event, by: format!("{name} {}", ended.state.to_lowercase()), goes_on });
        Ok(ended.state)
    }

    /// Takes what the running job or function has written, also what it wrote without asking S3. Answers whether a batch
    /// for the warehouse is among it.
    fn listen_as_actor(&mut self) -> bool {
        let mut written = Vec::new();
        while let Ok(object) = self.place.objects.try_recv() {
            written.push(self::written(object));
        }
        let folders = Folders::look(&self.place.buckets);
        let mut touched = Touched::default();
        for object in folders.written_since(&self.folders) {
            if !written.iter().any(|known| (&known.bucket, &known.key) == (&object.bucket, &object.key)) {
                // S3 itself writes what it replicates.
                if !judge::is_replica(&self.place.resources, &object.bucket, &object.key) {
                    touched.written.insert((object.bucket.clone(), object.key.clone()));
                }
                written.push(object);
            }
        }
        if let Some((role, reads)) = self.actor.as_ref().and_then(|actor| actor.spark.as_ref()) {
            touched.deleted.extend(folders.gone_since(&self.folders).cloned());
            touched.read.extend(reads.iter().filter_map(|address| {
                let (bucket, key) = address.strip_prefix("s3://")?.split_once('/')?;
                Some((bucket.to_owned(), key.to_owned()))
            }));
            self.place.judge.touched(role, &touched);
        }
        self.folders = folders;
        let committed = written.iter().any(|object| object.key.starts_with("_ledger/transform/"));
        for object in written {
            self.object(&object);
        }
        committed
    }
}

fn written(event: ObjectEvent) -> ObjectWritten {
    ObjectWritten {
        bucket: event.bucket,
        key: event.key,
        size: event.size,
        etag: event.etag,
        operation: event.event_name.to_owned(),
    }
}

fn looping(rule: Option<&Resource>, target: &Target, actor: Option<&Actor>, by: &str) -> String {
    let actor = actor.map_or("it", |actor| actor.name.as_str());
    let error = Error::new(format!(
        "a loop: the rule `{}` would start {} again by what `{actor}` has just written ({by})",
        rule.map_or("", |rule| rule.name.as_str()),
        name(target)
    ))
    .hint(
        "narrow the rule's pattern or the trail's selector, so that it does not take what the pipeline itself writes",
    );
    match rule.and_then(|rule| rule.place(&["EventPattern"])) {
        Some(place) => error.at(&place, "").to_string(),
        None => error.to_string(),
    }
}

fn name(target: &Target) -> String {
    match target {
        Target::Workflow(name) => format!("workflow {name}"),
        Target::Function(name) => format!("lambda {name}"),
        Target::Recorded(arn) => arn.rsplit(':').next().unwrap_or(arn).to_owned(),
    }
}

/// `shop-dev/load/<batch>/orders` → `load orders`; another name stays.
fn short(statement: &str) -> String {
    match statement.split('/').collect::<Vec<_>>()[..] {
        [_, what, _, of] => format!("{what} {of}"),
        [_, "setup", _] => "setup".to_owned(),
        _ => statement.to_owned(),
    }
}

/// `landing/orders/2026/x.jsonl` → `landing/orders`.
fn folder(key: &str) -> &str {
    let end = key.match_indices('/').nth(1).map_or(key.len(), |(at, _)| at);
    &key[..end]
}

/// The reasons, the nearest to the target first.
pub(super) fn explain(stops: &[Stop]) -> String {
    let mut stops: Vec<&Stop> = stops.iter().collect();
    stops.sort_by_key(|stop| !stop.hop.starts_with("rule"));
    let lines: Vec<String> = stops.iter().take(3).map(|stop| Error::from(*stop).to_string()).collect();
    lines.join("\n")
}

/// `orders 1,000 rows` of what an ingest answers.
fn summary(value: &Value) -> Option<String> {
    let objects = value.get("objects")?.as_object()?;
    let rows = objects.iter().filter_map(|(name, object)| Some(format!("{name} {}", object.get("rows")?)));
    Some(rows.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

fn last_word(output: &[String]) -> String {
    output
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map(|line| line.chars().take(100).collect())
        .unwrap_or_default()
}

/// The folders of the buckets, by name.
pub(super) fn folder_of<'a>(buckets: &'a BTreeMap<String, PathBuf>, name: &str) -> Result<&'a PathBuf> {
    buckets.get(name).ok_or_else(|| {
        Error::new(format!("the bucket `{name}` is not deployed"))
            .hint("run `pipectl deploy` for this environment first")
    })
}
