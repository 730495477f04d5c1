//! The process of a function: started, fed, watched, killed.

use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pipectl_process::Purpose;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::api::{Api, Message, Work};
use super::{Function, Log, environment};

/// How often the memory is looked at.
const WATCH: Duration = Duration::from_millis(10);

/// How the process's part in an invocation ended.
#[derive(Debug)]
pub(super) enum End {
    Response(Bytes),
    Error(Value),
    /// The process is gone: its status in Lambda's words.
    Exit(String),
    OutOfMemory,
    TimedOut,
}

#[derive(Debug)]
pub(super) struct Process {
    api: Api,
    child: Child,
    started: Instant,
    /// How many events it was given.
    served: u64,
    log: Arc<Mutex<Log>>,
    readers: Vec<JoinHandle<()>>,
    memory: Arc<Memory>,
    watcher: JoinHandle<()>,
}

/// What the watcher has seen.
#[derive(Debug, Default)]
struct Memory {
    most: AtomicU64,
    exceeded: AtomicBool,
}

impl Process {
    pub(super) async fn start(function: &Function) -> std::io::Result<Self> {
        let api = Api::open().await?;
        let program = function.directory.join("bootstrap");
        let mut command = Command::from(pipectl_process::command(program, Purpose::Lambda));
        command
            .current_dir(&function.directory)
            .envs(environment::variables(function, api.address))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // A separate process group: Ctrl-C ends it through the rehearsal, and what it started ends with it.
        #[cfg(unix)]
        command.process_group(0);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let log = Arc::default();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(tokio::spawn(read(stdout, Arc::clone(&log))));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(tokio::spawn(read(stderr, Arc::clone(&log))));
        }
        let memory = Arc::new(Memory::default());
        let watcher = tokio::spawn(watch(child.id(), function.memory * 1024 * 1024, Arc::clone(&memory)));
        Ok(Self { api, child, started, served: 0, log, readers, memory, watcher })
    }

    /// Whether it has asked for work before.
    pub(super) fn is_warm(&self) -> bool {
        *self.api.asked.borrow() > 0
    }

    /// Waits for the first request for work.
    pub(super) async fn init(&mut self, limit: Duration, init: &mut Option<Duration>) -> Result<(), End> {
        tokio::select! {
            biased;
            _ = self.api.asked.wait_for(|count| *count > 0) => {
                *init = Some(self.started.elapsed());
                Ok(())
            }
            messages = self.api.messages.recv() => match messages {
                Some(Message::InitError(error)) => Err(End::Error(error)),
                _ => Err(End::Exit("response before the first invocation".into())),
            },
            status = self.child.wait() => Err(ended(&self.memory, status)),
            () = tokio::time::sleep(limit) => Err(End::TimedOut),
        }
    }

    /// Gives the process an event, and waits for its response, its end, or the end of its time.
    pub(super) async fn handle(&mut self, function: &Function, request: &str, event: Bytes) -> End {
        let work = Work { request: request.to_owned(), arn: function.arn.clone(), timeout: function.timeout, event };
        let deadline = tokio::time::sleep(function.timeout);
        tokio::pin!(deadline);
        if self.api.work.send(work).await.is_err() {
            return End::Exit("the runtime interface closed".into());
        }
        self.served += 1;
        loop {
            tokio::select! {
                biased;
                messages = self.api.messages.recv() => match messages {
                    // An answer to an earlier request came too late.
                    Some(Message::Response { request: of, .. } | Message::Error { request: of, .. }) if of != request => {}
                    Some(Message::Response { body, .. }) => return End::Response(body),
                    Some(Message::Error { error, .. } | Message::InitError(error)) => return End::Error(error),
                    None => return End::Exit("the runtime interface closed".into()),
                },
                status = self.child.wait() => return ended(&self.memory, status),
                () = &mut deadline => return End::TimedOut,
            }
        }
    }

    /// Waits until the process asks for more work, so that its log is whole. False when it ended instead.
    pub(super) async fn settle(&mut self, limit: Duration) -> bool {
        let served = self.served;
        tokio::select! {
            _ = self.api.asked.wait_for(|count| *count > served) => {}
            _ = self.child.wait() => return false,
            () = tokio::time::sleep(limit) => {}
        }
        // What it wrote before is in the pipe; the readers need a moment.
        tokio::time::sleep(Duration::from_millis(2)).await;
        true
    }

    pub(super) fn memory(&self) -> u64 {
        self.memory.most.load(Ordering::Relaxed)
    }

    /// Takes what was written so far.
    pub(super) async fn take_log(&mut self) -> Log {
        if self.child.id().is_none() {
            // The process is gone, so the pipes end, unless a child of it holds them open.
            for reader in self.readers.drain(..) {
                let _ = tokio::time::timeout(Duration::from_millis(200), reader).await;
            }
        }
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Kills the process and all that it started, and waits for its end.
    pub(super) async fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.child.id().and_then(pid) {
            // It may have ended by itself, which is as good.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill().await;
        self.watcher.abort();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.child.id().and_then(pid) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        self.watcher.abort();
    }
}

#[cfg(unix)]
fn pid(id: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(id).ok()?)
}

fn ended(memory: &Memory, status: std::io::Result<ExitStatus>) -> End {
    if memory.exceeded.load(Ordering::Relaxed) {
        return End::OutOfMemory;
    }
    End::Exit(match status {
        Ok(status) => describe(status),
        Err(error) => error.to_string(),
    })
}

/// `exit status 1`, `signal: killed`: the words of Lambda.
fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => "illegal instruction",
            6 => "aborted",
            7 => "bus error",
            8 => "floating point exception",
            9 => "killed",
            11 => "segmentation fault",
            15 => "terminated",
            _ => return format!("signal: {signal}"),
        };
        return format!("signal: {name}");
    }
    format!("exit status {}", status.code().unwrap_or_default())
}

async fn read(pipe: impl AsyncRead + Unpin, log: Arc<Mutex<Log>>) {
    let mut lines = BufReader::new(pipe).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(line.trim_end());
    }
}

/// Follows the memory of a process, and kills it when it takes more than the limit.
///
/// An address space limit would count what is only reserved, which Lambda does not. Where there is no `/proc`, nothing is
/// measured.
async fn watch(id: Option<u32>, limit: u64, memory: Arc<Memory>) {
    let Some(id) = id else { return };
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        ticks.tick().await;
        let Ok(status) = fs_err::read_to_string(format!("/proc/{id}/status")) else { return };
        let most = kilobytes(&status, "VmHWM:").unwrap_or_default() * 1024;
        memory.most.fetch_max(most, Ordering::Relaxed);
        if most > limit {
            memory.exceeded.store(true, Ordering::Relaxed);
            #[cfg(unix)]
            if let Some(group) = pid(id) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            return;
        }
    }
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
