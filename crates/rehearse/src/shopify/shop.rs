//! The shop: its operations, tokens and points, and what is to go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::bulk::Bulk;
use super::operation::Operation;
use super::search::Search;
use super::{Credentials, Faults, Webhook, changes};
use crate::error::Result;

/// What an app of the stand-in may read, unless a test says otherwise.
pub(super) const SCOPES: [&str; 7] = [
    "read_all_orders",
    "read_customers",
    "read_inventory",
    "read_locations",
    "read_orders",
    "read_products",
    "read_users",
];

/// Without `read_all_orders` older orders do not show, and nothing says so.
const VISIBLE: time::Duration = time::Duration::days(60);

/// Points of the bucket that costs are taken from.
pub(super) const BUCKET: f64 = 2_000.0;
pub(super) const RESTORED_A_SECOND: f64 = 100.0;

/// The shop itself.
#[derive(Debug)]
pub(super) struct Shop {
    /// The folder of its rows, and where those of later steps are kept.
    data: Mutex<PathBuf>,
    later: Mutex<Vec<TempDir>>,
    pub(super) credentials: Credentials,
    endpoint: String,
    pub(super) results: TempDir,
    state: Mutex<Shared>,
    faults: Mutex<Faults>,
}

#[derive(Debug)]
struct Shared {
    operations: BTreeMap<u64, Operation>,
    tokens: u64,
    points: f64,
    since: Instant,
    missing: BTreeSet<String>,
    /// Rows that no query finds: the file, the date that they lack, and how many they are.
    undated: BTreeSet<(String, &'static str, u64)>,
    broken: Vec<String>,
    scopes: Vec<String>,
}

impl Shop {
    /// A shop whose results are written in the folder `work`.
    pub(super) fn new(data: PathBuf, credentials: Credentials, endpoint: String, work: &Path) -> Result<Self> {
        let state = Shared {
            operations: BTreeMap::new(),
            tokens: 0,
            points: BUCKET,
            since: Instant::now(),
            missing: BTreeSet::new(),
            undated: BTreeSet::new(),
            broken: Vec::new(),
            scopes: SCOPES.map(str::to_owned).into(),
        };
        Ok(Self {
            data: Mutex::new(data),
            later: Mutex::default(),
            credentials,
            endpoint,
            results: TempDir::new_in(work)?,
            state: Mutex::new(state),
            faults: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one failure of a kind, if one is still to come.
    pub(super) fn fails(&self, kind: impl Fn(&mut Faults) -> &mut u32) -> bool {
        let mut faults = self.faults();
        let left = kind(&mut faults);
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }

    pub(super) fn missing_fields(&self) -> BTreeSet<String> {
        self.state().missing.clone()
    }

    pub(super) fn undated_rows(&self) -> BTreeSet<(String, &'static str, u64)> {
        self.state().undated.clone()
    }

    pub(super) fn broken_data(&self) -> Vec<String> {
        self.state().broken.clone()
    }

    pub(super) fn under_way(&self) -> usize {
        self.state().operations.values().filter(|operation| operation.is_under_way()).count()
    }

    /// Does something with an operation, and gives what is to be shown of it.
    pub(super) fn with_operation(&self, id: &str, show: impl FnOnce(&mut Operation) -> Value) -> Option<Value> {
        let number = id.strip_prefix("gid://shopify/BulkOperation/")?.parse().ok()?;
        Some(self.absolute(show(self.state().operations.get_mut(&number)?)))
    }

    pub(super) fn look_at_newest(&self) -> Value {
        let newest = self.state().operations.values_mut().next_back().map(Operation::look);
        newest.map_or(Value::Null, |operation| self.absolute(operation))
    }

    pub(super) fn look_at_all(&self) -> Vec<Value> {
        let operations: Vec<Value> = self.state().operations.values_mut().rev().map(Operation::look).collect();
        operations.into_iter().map(|operation| self.absolute(operation)).collect()
    }

    /// Starts an operation; its rows are written by a separate thread.
    pub(super) fn run(self: &Arc<Self>, bulk: Bulk, query: String) -> Value {
        let fails = self.fails(|faults| &mut faults.failed_operation);
        let miscounts = self.fails(|faults| &mut faults.miscounted_operation);
        let never_ends = self.fails(|faults| &mut faults.endless_operation);
        let takes = Duration::from_secs(self.faults().operation_seconds.into());
        let (number, shown) = {
            let mut state = self.state();
            let number = 7_000_001 + state.operations.len() as u64;
            let operation = Operation::new(number, query);
            let shown = operation.show();
            state.operations.insert(number, operation);
            (number, shown)
        };
        let shop = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let to = shop.results.path().join(Operation::file(number));
            let result = bulk.write(&shop.data(), &to).map(|mut counts| {
                counts.objects += u64::from(miscounts);
                counts
            });
            if never_ends {
                return;
            }
            std::thread::sleep(takes);
            let mut state = shop.state();
            let counts = match result {
                Ok(counts) if !fails => {
                    state.missing.extend(counts.missing.iter().cloned());
                    let file = format!("{}.jsonl", bulk.object);
                    state.undated.extend(counts.undated.map(|(date, rows)| (file, date, rows)));
                    Some(counts)
                }
                // What was written until then is there to be had.
                Ok(counts) => {
                    if let Some(operation) = state.operations.get_mut(&number) {
                        operation.partial(&counts);
                    }
                    None
                }
                Err(broken) => {
                    state.broken.push(broken);
                    None
                }
            };
            if let Some(operation) = state.operations.get_mut(&number) {
                operation.finish(counts);
            }
        });
        shown
    }

    fn absolute(&self, mut operation: Value) -> Value {
        for name in ["url", "partialDataUrl"] {
            if let Some(path) = operation.get(name).and_then(Value::as_str) {
                operation[name] = format!("{}{path}", self.endpoint).into();
            }
        }
        operation
    }

    /// Gives out a token.
    pub(super) fn grant_token(&self) -> String {
        let number = {
            let mut state = self.state();
            state.tokens += 1;
            state.tokens
        };
        self.token(number)
    }

    /// A token is a function of the secret and of its number, so it need not be kept.
    fn token(&self, number: u64) -> String {
        let secret = self.credentials.client_secret.as_bytes();
        let digest = Sha256::new().chain_update(secret).chain_update(number.to_le_bytes()).finalize();
        digest.iter().take(16).fold(String::from("shpat_"), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Whether it has given this token out.
    pub(super) fn accepts(&self, token: &str) -> bool {
        (1..=self.state().tokens).any(|number| self.token(number) == token)
    }

    /// Takes the points of a request out of the bucket. Answers what is left, or that it is throttled.
    pub(super) fn pay(&self, points: f64) -> (f64, bool) {
        let mut state = self.state();
        let restored = state.since.elapsed().as_secs_f64() * RESTORED_A_SECOND;
        state.points = (state.points + restored).min(BUCKET);
        state.since = Instant::now();
        let throttled = state.points < points;
        if !throttled {
            state.points -= points;
        }
        (state.points.floor(), throttled)
    }

    /// Gives back what a query did not use of its price.
    pub(super) fn give_back(&self, points: f64) -> f64 {
        let mut state = self.state();
        state.points = (state.points + points.max(0.0)).min(BUCKET);
        state.points.floor()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on its rows are those that they are after a step.
    pub(super) fn change(&self, step: &Path) -> Result<Vec<Webhook>> {
        let after = TempDir::new_in(self.results.path())?;
        let webhooks = changes::apply(&self.data(), step, after.path())?;
        after.path().clone_into(&mut self.data.lock().unwrap_or_else(PoisonError::into_inner));
        self.later.lock().unwrap_or_else(PoisonError::into_inner).push(after);
        Ok(webhooks)
    }

    pub(super) fn miss(&self, missing: Vec<String>) {
        self.state().missing.extend(missing);
    }

    pub(super) fn scopes(&self) -> Vec<String> {
        self.state().scopes.clone()
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.state().scopes.iter().any(|granted| granted == scope)
    }

    pub(super) fn grant(&self, scopes: &[&str]) {
        self.state().scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    /// What a search of a connection may find.
    pub(super) fn visible(&self, connection: &str, search: Search) -> Search {
        if connection == "orders" && !self.has_scope("read_all_orders") {
            return search.and_created_since(OffsetDateTime::now_utc() - VISIBLE);
        }
        search
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
