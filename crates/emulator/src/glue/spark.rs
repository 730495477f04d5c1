//! AWS Glue on this machine: the jobs' own scripts, on a Spark that stays up between them.
//!
//! A Python program (`glue-src/local/runner.py`) holds the Spark session; a command is a line of JSON to it, an answer a
//! line from it. It is started first of all, as a JVM takes seconds.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pipectl_process::Purpose;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

use crate::toolchain::with_setup;
use pipectl_core::resource::Resource;

/// How much of what Spark writes is kept, to be shown when it ends unexpectedly.
const KEPT_LINES: usize = 30;

/// The first start builds a class archive, which takes a while.
const START: Duration = Duration::from_secs(180);

/// Job arguments that Glue itself takes; the script does not get them.
const GLUES_OWN: [&str; 13] = [
    "--additional-python-modules",
    "--conf",
    "--custom-logGroup-prefix",
    "--custom-logStream-prefix",
    "--datalake-formats",
    "--enable-auto-scaling",
    "--enable-continuous-cloudwatch-log",
    "--enable-job-insights",
    "--enable-metrics",
    "--enable-observability-metrics",
    "--enable-spark-ui",
    "--extra-py-files",
    "--job-language",
];

/// What is needed to start the runner.
#[derive(Debug, Clone)]
pub struct Start {
    pub python: PathBuf,
    pub runner: PathBuf,
    /// Where the class archive is kept between rehearsals.
    pub cache: PathBuf,
    /// For Spark's scratch files and Python's. It is the caller's to remove, once this has ended.
    pub work: PathBuf,
    /// The folder of each bucket.
    pub buckets: BTreeMap<String, PathBuf>,
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    pub run: String,
    pub script: String,
    pub py_files: Vec<String>,
    pub arguments: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    #[serde(skip)]
    pub timeout: Duration,
}

/// How a run of a job ended.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct JobRun {
    /// `SUCCEEDED`, `FAILED` or `TIMEOUT`.
    pub state: String,
    pub error: Option<String>,
    pub seconds: f64,
    #[serde(default)]
    pub output: Vec<String>,
    /// The objects that Spark has read, as `s3://` addresses.
    #[serde(default)]
    pub reads: Vec<String>,
}

impl Job {
    /// A run of a deployed job, with the arguments of its template.
    pub fn of(resource: &Resource, run: &str, workflow: &str, environment: BTreeMap<String, String>) -> Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let given: BTreeMap<String, String> = resource
            .get("/DefaultArguments")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let py_files = given.get("--extra-py-files").map_or("", String::as_str);
        let py_files = py_files.split(',').map(str::trim).filter(|file| !file.is_empty()).map(str::to_owned).collect();
        let mut arguments: BTreeMap<String, String> = given
            .into_iter()
            .filter(|(name, _)| !GLUES_OWN.contains(&name.as_str()) && name != "--job-bookmark-option")
            .collect();
        arguments.insert("--JOB_NAME".into(), resource.name.clone());
        if !workflow.is_empty() {
            arguments.insert("--WORKFLOW_NAME".into(), workflow.to_owned());
            arguments.insert("--WORKFLOW_RUN_ID".into(), format!("wr_{}", run.trim_start_matches("jr_")));
        }
        Self {
            run: run.to_owned(),
            script: resource.text("/Command/ScriptLocation").unwrap_or_default().to_owned(),
            py_files,
            arguments,
            environment,
            timeout: Duration::from_mins(resource.number("/Timeout").unwrap_or(480)),
        }
    }
}

/// A runner that starts or has started.
#[derive(Debug)]
pub struct Glue {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    noise: Arc<Mutex<VecDeque<String>>>,
    /// Reads what Spark writes to stderr, until it has ended.
    listener: Option<JoinHandle<()>>,
    spark: Option<String>,
}

impl Glue {
    /// Starts the runner and does not wait for it.
    pub fn start(start: &Start) -> Result<Self> {
        let mut command = Command::from(pipectl_process::command(&start.python, Purpose::Spark));
        command
            .arg(&start.runner)
            .arg("--cache-dir")
            .arg(&start.cache)
            .arg("--work-dir")
            .arg(&start.work)
            .arg("--mounts")
            .arg(json!(start.buckets).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("TMPDIR", &start.work)
            // Java looks at no TMPDIR, and writes its counters beside it.
            .env("JAVA_TOOL_OPTIONS", format!("'-Djava.io.tmpdir={}' -XX:-UsePerfData", start.work.display()))
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| {
            with_setup(Error::new(format!("cannot start `{}`", start.python.display())).cause(&error))
        })?;
        let broken = || Error::new("cannot talk to the Spark runner");
        let commands = child.stdin.take().ok_or_else(broken)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(broken)?).lines();
        let noise = Arc::new(Mutex::new(VecDeque::new()));
        let listener = child.stderr.take().map(|stderr| {
            let noise = Arc::clone(&noise);
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    // Java says so of each variable that it takes options from.
                    if line.starts_with("Picked up JAVA_TOOL_OPTIONS") {
                        continue;
                    }
                    let mut noise = noise.lock().unwrap_or_else(PoisonError::into_inner);
                    if noise.len() == KEPT_LINES {
                        noise.pop_front();
                    }
                    noise.push_back(line);
                }
            })
        });
        Ok(Self { child, commands, answers, noise, listener, spark: None })
    }

    /// Waits until Spark is up, and gives its version.
    pub async fn ready(&mut self) -> Result<&str> {
        if self.spark.is_none() {
            let answer = match tokio::time::timeout(START, self.answer()).await {
                Ok(answer) => answer?,
                Err(_) => return Err(self.ended(&format!("Spark did not start within {} s", START.as_secs())).await),
            };
            let spark = answer.get("spark").and_then(Value::as_str).filter(|_| answer["ready"] == true);
            let Some(spark) = spark else {
                let why = answer.get("error").and_then(Value::as_str).unwrap_or("it gave no reason");
                return Err(Error::new("Spark does not start").note(why.to_owned()));
            };
            self.spark = Some(spark.to_owned());
        }
        Ok(self.spark.as_deref().unwrap_or_default())
    }

    /// The version of Spark, once it is up.
    pub fn version(&self) -> Option<&str> {
        self.spark.as_deref()
    }

    /// Runs a job to its end. A job that fails is no error of the runner's.
    pub async fn run(&mut self, job: &Job) -> Result<JobRun> {
        self.ready().await?;
        let line = format!("{}\n", json!(job));
        if let Err(error) = self.commands.write_all(line.as_bytes()).await {
            return Err(self.ended("the Spark runner has ended").await.cause(&error));
        }
        match tokio::time::timeout(job.timeout, self.answer()).await {
            Ok(answer) => {
                let answer = answer?;
                serde_json::from_value(answer.clone()).map_err(|error| {
                    Error::new("the Spark runner gave an answer that is not understood")
                        .cause(&error)
                        .note(answer.to_string())
                })
            }
            Err(_) => {
                // The runner is busy with the job for good.
                self.stop().await;
                let minutes = job.timeout.as_secs() / 60;
                let error = Some(format!("the job ran longer than its {minutes} minutes"));
                Ok(JobRun {
                    state: "TIMEOUT".into(),
                    error,
                    seconds: job.timeout.as_secs_f64(),
                    output: Vec::new(),
                    reads: Vec::new(),
                })
            }
        }
    }

    /// Ends Spark and all that it started.
    pub async fn stop(&mut self) {
        kill_group(&self.child);
        let _ = self.child.kill().await;
    }

    async fn answer(&mut self) -> Result<Value> {
        match self.answers.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line)
                .map_err(|error| Error::new("the Spark runner does not speak JSON").cause(&error).note(line)),
            Ok(None) => Err(self.ended("the Spark runner has ended").await),
            Err(error) => Err(self.ended("the Spark runner has ended").await.cause(&error)),
        }
    }

    /// An error with the last lines that Spark wrote.
    async fn ended(&mut self, message: &str) -> Error {
        // Its last lines come with its end.
        let patience = Duration::from_millis(500);
        let _ = tokio::time::timeout(patience, self.child.wait()).await;
        if let Some(listener) = &mut self.listener
            && tokio::time::timeout(patience, listener).await.is_ok()
        {
            self.listener = None;
        }
        let noise = self.noise.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<&str> = noise.iter().map(String::as_str).collect();
        let error = Error::new(message);
        if last.is_empty() { error } else { error.note(format!("it wrote last:\n{}", last.join("\n"))) }
    }
}

impl Drop for Glue {
    fn drop(&mut self) {
        kill_group(&self.child);
    }
}

fn kill_group(child: &Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;
    use pipectl_core::resource::testing::resources;

    fn start(script: &str) -> (tempfile::TempDir, Start) {
        let directory = tempfile::tempdir().unwrap();
        let runner = directory.path().join("runner.py");
        fs::write(&runner, format!("import json, sys, time\n{script}")).unwrap();
        let start = Start {
            python: "/usr/bin/python3".into(),
            runner,
            cache: directory.path().join("cache"),
            work: directory.path().to_owned(),
            buckets: BTreeMap::from([("raw".into(), "/data/raw".into())]),
        };
        (directory, start)
    }

    fn job(timeout: Duration) -> Job {
        Job {
            run: "jr_1".into(),
            script: "s3://artifacts/glue/clean.py".into(),
            py_files: vec!["s3://artifacts/glue/library.zip".into()],
            arguments: BTreeMap::from([("--JOB_NAME".into(), "clean".into())]),
            environment: BTreeMap::new(),
            timeout,
        }
    }

    #[tokio::test]
    async fn jobs_run_one_after_another() {
        let (_directory, start) = start(
            r#"
print(json.dumps({"ready": True, "spark": "3.5.6"}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps({"run": command["run"], "state": "SUCCEEDED", "error": None, "seconds": 1.5, "output": [line.strip(), *sys.argv[1:]]}), flush=True)
"#,
        );
        let mut glue = Glue::start(&start).unwrap();
        assert_eq!(glue.ready().await.unwrap(), "3.5.6");
        let mut run = glue.run(&job(Duration::from_secs(20))).await.unwrap();
        assert_eq!(run, glue.run(&job(Duration::from_secs(20))).await.unwrap());
        assert_eq!((run.state.as_str(), run.seconds), ("SUCCEEDED", 1.5));
        assert_eq!(run.output.split_off(5), ["--mounts", r#"{"raw":"/data/raw"}"#]);
        insta::assert_snapshot!(run.output[0], @r#"{"run":"jr_1","script":"s3://artifacts/glue/clean.py","py_files":["s3://artifacts/glue/library.zip"],"arguments":{"--JOB_NAME":"clean"},"environment":{}}"#);
    }

    #[tokio::test]
    async fn failures_of_jobs_are_reported() {
        // Long enough for the slowest machine, but for the job that never ends.
        let long = Duration::from_mins(1);
        let reported = async |script: &str, limit: Duration| {
            let (_directory, start) = start(script);
            let mut glue = Glue::start(&start).unwrap();
            match glue.run(&job(limit)).await {
                Ok(run) => format!("{} {}", run.state, run.error.unwrap_or_default()),
                Err(error) => error.to_string(),
            }
        };
        let ready = "print(json.dumps({'ready': True, 'spark': '3.5.6'}), flush=True)\n";
        insta::assert_snapshot!(reported("print(json.dumps({'ready': False, 'error': 'no Java found'}))", long).await, @"
        error: Spark does not start
        = note: no Java found
        ");
        insta::assert_snapshot!(reported("print('Traceback', file=sys.stderr)", long).await, @"
        error: the Spark runner has ended
        = note: it wrote last:
                  Traceback
        ");
        insta::assert_snapshot!(reported(&format!("{ready}time.sleep(600)"), Duration::from_secs(1)).await, @"TIMEOUT the job ran longer than its 0 minutes");
        insta::assert_snapshot!(reported(&format!("{ready}sys.stdin.readline(); print('oops', flush=True); time.sleep(9)"), long).await, @"
        error: the Spark runner does not speak JSON
          cause: expected value at line 1 column 1
        = note: oops
        ");
    }

    #[test]
    fn a_job_gets_the_arguments_of_its_template() {
        let resources = resources(
            r#"Clean:
  Type: AWS::Glue::Job
  Properties:
    Name: shop-clean
    Timeout: 60
    Command: {ScriptLocation: "s3://artifacts/glue/clean.py"}
    DefaultArguments: {"--pipeline_document": "s3://artifacts/config/p.json", "--extra-py-files": "s3://artifacts/a.zip, s3://artifacts/b.zip", "--job-bookmark-option": job-bookmark-disable, "--enable-metrics": "true"}
"#,
        );
        let job = Job::of(&resources.all[0], "jr_7", "shop", BTreeMap::new());
        insta::assert_snapshot!(serde_json::to_string_pretty(&job).unwrap(), @r#"
        {
          "run": "jr_7",
          "script": "s3://artifacts/glue/clean.py",
          "py_files": [
            "s3://artifacts/a.zip",
            "s3://artifacts/b.zip"
          ],
          "arguments": {
            "--JOB_NAME": "shop-clean",
            "--WORKFLOW_NAME": "shop",
            "--WORKFLOW_RUN_ID": "wr_7",
            "--pipeline_document": "s3://artifacts/config/p.json"
          },
          "environment": {}
        }
        "#);
        assert_eq!(job.timeout, Duration::from_secs(3600));
    }
}
