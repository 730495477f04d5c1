//! The run: what arrives starts what the templates say, until nothing is left to happen.
//!
//! One thing happens at a time, so that a run reads the same every time. Waiting that AWS would do (a batching window,
//! the pause before a retry) passes in simulated time.

mod call;
mod deliver;
mod failures;
mod job;
mod replicate;
mod shops;
mod skipped;

pub(super) use deliver::explain;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pipectl_contract::keys;
use pipectl_contract::ledger::Stage;
use serde_json::Value;

use crate::error::{Error, Result};
use pipectl_emulator::account::ObjectEvent;

use super::arrivals::{self, Arrival};
use super::changed_objects::Folders;
use super::local_pipeline::LocalPipeline;
use super::timeline::{Kind, Severity, Timeline};
use pipectl_emulator::alarms::Metrics;
use pipectl_emulator::authorizer::{self, Touched};
use pipectl_emulator::events::{self, ObjectWritten, Stop, Target, Triggered, Workflows};
use pipectl_emulator::lambda::Runtime;

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
    pipeline: &'a mut LocalPipeline,
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
    /// The role of a job, and what its Spark has read: that makes no HTTP call, so it is authorized here.
    spark: Option<(String, Vec<String>)>,
}

impl<'a> Run<'a> {
    pub(super) fn new(pipeline: &'a mut LocalPipeline, raw: &'a str, status: &'a (dyn Fn(&str) + Sync)) -> Self {
        let folders = Folders::look(&pipeline.buckets);
        Self {
            pipeline,
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
        self.pipeline.authorizer.standby(&self.pipeline.resources);
        self.take_waiting(None);
        self.put(arrivals).await?;
        self.start_replications().await?;
        self.fire_schedules();
        self.fire_jobs();
        let mut quiet = self.until_quiet().await;
        for step in 0..self.pipeline.databases.steps() {
            if quiet.is_ok() {
                quiet = self.change_databases(step).await;
            }
        }
        if quiet.is_ok() {
            quiet = self.change_shops().await;
        }
        self.look_at_alarms();
        for runtime in self.functions.values_mut() {
            runtime.stop().await;
        }
        quiet
    }

    async fn put(&mut self, arrivals: &[Arrival]) -> Result<()> {
        let client = pipectl_emulator::s3::client::client(
            &self.pipeline.endpoint,
            &self.pipeline.resources.region,
            &self.pipeline.account.access_key("upload"),
        );
        for arrival in arrivals {
            (self.status)(&format!("putting {}", arrival.key));
            let began = Instant::now();
            arrivals::put(&client, self.raw, arrival).await?;
            let size = fs_err::metadata(&arrival.path)?.len();
            self.timeline.ended(Kind::File, &arrival.key, super::report::size(size), began.elapsed(), false);
        }
        self.listen();
        self.folders = Folders::look(&self.pipeline.buckets);
        Ok(())
    }

    fn fire_schedules(&mut self) {
        for scheduled in events::schedules(&self.pipeline.resources, &self.pipeline.authorizer) {
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
        let fired = events::scheduled(&self.pipeline.resources);
        for triggered in fired {
            if !triggered.jobs.iter().all(|job| self.has_no_database(job)) {
                self.due.push_back(Due::Start(triggered));
            }
        }
    }

    /// Executes the next step in the databases, and runs their schedules again.
    async fn change_databases(&mut self, step: usize) -> Result<()> {
        let changed = self.pipeline.databases.change(step).await?;
        for (source, file) in changed.made {
            let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.timeline.happened(Kind::Database, &source, &file);
        }
        for (source, gone) in changed.gone {
            self.gone(&source, &gone);
        }
        self.follow_databases().await?;
        self.fire_jobs();
        self.until_quiet().await
    }

    async fn until_quiet(&mut self) -> Result<()> {
        loop {
            self.listen();
            if let Some(due) = self.due.pop_front() {
                self.done += 1;
                if self.done > MOST_STEPS {
                    let text = format!("the pipeline does not settle: stopped after {MOST_STEPS} events");
                    self.timeline.find(Severity::Error, text);
                    return Ok(());
                }
                self.happen(due).await?;
            } else if self.pipeline.running_statements().await > 0 {
                (self.status)("waiting for the warehouse");
                self.wait_for_statement(Duration::from_millis(100)).await;
            } else if self.wait_for_statement(GAP).await {
                // What has come is due now.
            } else if let Some(close) = self.workflows.next_close() {
                self.clock = self.clock.max(close);
                let fired = self.workflows.close(&self.pipeline.resources, self.clock);
                self.due.extend(fired.into_iter().map(Due::Start));
            } else {
                return Ok(());
            }
        }
    }

    /// Takes what has come over the channels.
    fn listen(&mut self) {
        while let Ok(object) = self.pipeline.objects.try_recv() {
            self.due.push_back(Due::Object(written(object)));
        }
        while let Ok(event) = self.pipeline.statements.try_recv() {
            self.due.push_back(Due::Event { event, by: "the Redshift Data API".into(), goes_on: true });
        }
    }

    async fn wait_for_statement(&mut self, limit: Duration) -> bool {
        match tokio::time::timeout(limit, self.pipeline.statements.recv()).await {
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

    /// Takes what the running job or function has written, also what it wrote without asking S3. Answers whether a batch
    /// for the warehouse is among it.
    fn listen_as_actor(&mut self) -> bool {
        let mut written = Vec::new();
        while let Ok(object) = self.pipeline.objects.try_recv() {
            written.push(self::written(object));
        }
        let folders = Folders::look(&self.pipeline.buckets);
        let mut touched = Touched::default();
        for object in folders.written_since(&self.folders) {
            if !written.iter().any(|known| (&known.bucket, &known.key) == (&object.bucket, &object.key)) {
                // S3 itself writes what it replicates.
                if !authorizer::is_replica(&self.pipeline.resources, &object.bucket, &object.key) {
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
            self.pipeline.authorizer.touched(role, &touched);
        }
        self.folders = folders;
        let committed = written.iter().any(|object| object.key.starts_with(&keys::ledger_folder(Stage::Transform)));
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

/// The folders of the buckets, by name.
pub(super) fn folder_of<'a>(buckets: &'a BTreeMap<String, PathBuf>, name: &str) -> Result<&'a PathBuf> {
    buckets.get(name).ok_or_else(|| {
        Error::new(format!("the bucket `{name}` is not deployed"))
            .hint("run `pipectl deploy` for this environment first")
    })
}
