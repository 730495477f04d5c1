//! Glue's catalog: the databases of the stacks, and the tables that programs make in them.
//!
//! A change names the version that it was made from, and is refused when the table has another by now. On this rest
//! Iceberg's commits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::json::{JsonError, JsonResult};
use crate::account::local_account::{Account, exists};
use crate::account::{clock, file};
use crate::error::Result;

const DATABASE: &str = "AWS::Glue::Database";
const TABLE: &str = "AWS::Glue::Table";

/// The tables that no stack has made, by database and name.
pub(crate) struct Catalog {
    path: PathBuf,
    known: Mutex<BTreeMap<String, BTreeMap<String, Table>>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Table {
    /// What `CreateTable` or the last `UpdateTable` said.
    input: Value,
    version: u64,
    created: f64,
    updated: f64,
}

impl Catalog {
    pub(crate) fn load(directory: &Path) -> Result<Self> {
        let path = directory.join("catalog.json");
        let known = file::read_json(&path)?.unwrap_or_default();
        Ok(Self { path, known: Mutex::new(known) })
    }

    /// A database was deleted, and with it all that was in it.
    pub(crate) fn forget(&self, database: &str) {
        let mut known = self.known();
        if known.remove(database).is_some() {
            // What cannot be written is forgotten as soon as somebody writes again.
            let _ = file::write_json(&self.path, &*known);
        }
    }

    /// A parameter of a table, such as `metadata_location`.
    pub(crate) fn parameter(&self, database: &str, table: &str, name: &str) -> Option<String> {
        let known = self.known();
        let found = known.get(database)?.get(table)?;
        found.input["Parameters"][name].as_str().map(str::to_owned)
    }

    /// Answers a call of Glue's catalog.
    pub(crate) fn call(&self, account: &Account, operation: &str, body: &Value) -> JsonResult {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        if operation == "GetDatabase" {
            return match of_stacks(account, DATABASE, |properties| properties["DatabaseInput"]["Name"] == body["Name"])
            {
                Some(properties) => Ok(json!({"Database": with(&properties["DatabaseInput"], &account.id)})),
                None => Err(missing("Database", &text("Name"))),
            };
        }
        let database = text("DatabaseName");
        let here = |properties: &Value| properties["DatabaseInput"]["Name"] == body["DatabaseName"];
        if of_stacks(account, DATABASE, here).is_none() {
            return Err(missing("Database", &database));
        }
        match operation {
            "GetTable" => self.get(account, &database, &text("Name")),
            "CreateTable" => self.create(account, &database, &body["TableInput"]),
            "UpdateTable" => self.update(&database, &body["TableInput"], body["VersionId"].as_str()),
            "DeleteTable" => self.delete(&database, &text("Name")),
            _ => Err(JsonError::unknown_operation("glue", operation)),
        }
    }

    fn get(&self, account: &Account, database: &str, name: &str) -> JsonResult {
        if let Some(table) = self.known().get(database).and_then(|tables| tables.get(name)) {
            let mut answer = with(&table.input, &account.id);
            answer["DatabaseName"] = database.into();
            answer["VersionId"] = table.version.to_string().into();
            answer["CreateTime"] = table.created.into();
            answer["UpdateTime"] = table.updated.into();
            return Ok(json!({ "Table": answer }));
        }
        match of_stacks(account, TABLE, |properties| is_table(properties, database, name)) {
            Some(properties) => {
                let mut answer = with(&properties["TableInput"], &account.id);
                answer["DatabaseName"] = database.into();
                answer["VersionId"] = "0".into();
                Ok(json!({ "Table": answer }))
            }
            None => Err(missing("Table", name)),
        }
    }

    fn create(&self, account: &Account, database: &str, input: &Value) -> JsonResult {
        let name = name_of(input)?;
        let mut known = self.known();
        let tables = known.entry(database.to_owned()).or_default();
        let by_stack = of_stacks(account, TABLE, |properties| is_table(properties, database, &name)).is_some();
        if tables.contains_key(&name) || by_stack {
            return Err(JsonError::new("AlreadyExistsException", "Table already exists."));
        }
        let now = clock::seconds();
        tables.insert(name, Table { input: input.clone(), version: 0, created: now, updated: now });
        self.save(&known)
    }

    fn update(&self, database: &str, input: &Value, version: Option<&str>) -> JsonResult {
        let name = name_of(input)?;
        let mut known = self.known();
        let table = known.get_mut(database).and_then(|tables| tables.get_mut(&name));
        let table = table.ok_or_else(|| missing("Table", &name))?;
        if version.is_some_and(|version| version != table.version.to_string()) {
            let text = "Update table failed due to concurrent modifications.";
            return Err(JsonError::new("ConcurrentModificationException", text));
        }
        table.input = input.clone();
        table.version += 1;
        table.updated = clock::seconds();
        self.save(&known)
    }

    fn delete(&self, database: &str, name: &str) -> JsonResult {
        let mut known = self.known();
        let gone = known.get_mut(database).and_then(|tables| tables.remove(name));
        gone.ok_or_else(|| missing("Table", name))?;
        self.save(&known)
    }

    fn save(&self, known: &BTreeMap<String, BTreeMap<String, Table>>) -> JsonResult {
        file::write_json(&self.path, known)
            .map(|()| json!({}))
            .map_err(|error| JsonError::new("InternalServiceException", &format!("cannot keep the table: {error}")))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Table>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The properties of a resource of this kind that a stack has made.
fn of_stacks(account: &Account, kind: &str, is: impl Fn(&Value) -> bool) -> Option<Value> {
    let stacks = account.stacks();
    let mut all = stacks.live.values().flat_map(|stack| &stack.resources);
    let found = all.find(|one| one.resource_type == kind && exists(one) && is(&one.properties));
    found.map(|one| one.properties.clone())
}

fn is_table(properties: &Value, database: &str, name: &str) -> bool {
    properties["DatabaseName"] == database && properties["TableInput"]["Name"] == name
}

fn with(input: &Value, account: &str) -> Value {
    let mut answer = input.clone();
    answer["CatalogId"] = account.into();
    answer
}

fn name_of(input: &Value) -> std::result::Result<String, JsonError> {
    let name = input["Name"].as_str().filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| JsonError::new("InvalidInputException", "TableInput.Name is missing"))
}

fn missing(what: &str, name: &str) -> JsonError {
    JsonError::new("EntityNotFoundException", &format!("{what} {name} not found."))
}
