//! Commands that are given several names.
//!
//! Invariant: nothing is changed before each name is known to stand for one object; then each is tried whatever becomes of
//! the others, and what became of each is reported.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::endpoint::TypedConnection;
use crate::error::{ClientError, UNREACHABLE};
use crate::output::Output;

/// What is to be changed.
pub(crate) struct Target {
    /// As it was written.
    pub(crate) name: String,
    pub(crate) id: String,
}

/// One of several things that was not done.
#[derive(Debug)]
pub struct Failure {
    /// What it was to be done with, as it was written.
    pub name: String,
    /// Why.
    pub error: ClientError,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, error } = self;
        // The text of these has the name.
        if matches!(
            error,
            ClientError::NoSuchName { .. } | ClientError::AmbiguousName { .. }
        ) {
            error.fmt(formatter)
        } else {
            write!(formatter, "{name}: {error}")
        }
    }
}

/// What the names stand for, each once.
///
/// # Errors
/// [`ClientError::Several`] with every name that stands for nothing or for more than one object.
pub(crate) fn targets(
    names: &[String],
    found: impl IntoIterator<Item = Result<String, ClientError>>,
) -> Result<Vec<Target>, ClientError> {
    let mut targets: Vec<Target> = Vec::new();
    let mut failures = Vec::new();
    for (name, found) in names.iter().zip(found) {
        match found {
            Ok(id) if targets.iter().any(|known| known.id == id) => {}
            Ok(id) => targets.push(Target { name: name.clone(), id }),
            Err(error @ (ClientError::NoSuchName { .. } | ClientError::AmbiguousName { .. })) => {
                failures.push(Failure {
                    name: name.clone(),
                    error,
                });
            }
            Err(error) => return Err(error),
        }
    }
    if failures.is_empty() {
        return Ok(targets);
    }
    Err(failed(failures, names.len(), Map::new()))
}

/// Changes each target by `change`, which prints in words what it did and answers the list of the printed document that it
/// belongs in, with its entry there. `lists` are all of these lists.
///
/// # Errors
/// [`ClientError::Several`] with each that failed; the only target's own error.
pub(crate) async fn each<'o>(
    targets: &[Target],
    lists: &[&str],
    output: &mut Output<'o>,
    change: impl AsyncFn(&Target, &mut Output<'o>) -> Result<(&'static str, Value), ClientError>,
) -> Result<(), ClientError> {
    let mut document: Map<String, Value> = lists.iter().map(|list| ((*list).to_owned(), json!([]))).collect();
    let mut failures: Vec<Failure> = Vec::new();
    for target in targets {
        let is_unreachable = failures.iter().any(|failure| failure.error.exit_code() == UNREACHABLE);
        let changed = if is_unreachable {
            Err(ClientError::Untried)
        } else {
            change(target, output).await
        };
        match changed {
            Ok((list, entry)) => {
                if let Some(Value::Array(entries)) = document.get_mut(list) {
                    entries.push(entry);
                }
            }
            Err(error @ ClientError::Output(_)) => return Err(error),
            Err(error) => failures.push(Failure {
                name: target.name.clone(),
                error,
            }),
        }
    }
    if !failures.is_empty() {
        return Err(failed(failures, targets.len(), document));
    }
    if output.json {
        output.value(&Value::Object(document))?;
    }
    Ok(())
}

/// What becomes of failures among so many; the error itself where there was one thing to do.
fn failed(mut failures: Vec<Failure>, of: usize, done: Map<String, Value>) -> ClientError {
    match failures.pop() {
        Some(only) if of == 1 => only.error,
        last => {
            failures.extend(last);
            ClientError::Several { failures, done }
        }
    }
}

/// The document of a command some of whose changes failed.
pub(crate) fn document(failures: &[Failure], done: &Map<String, Value>, typed: &TypedConnection) -> Value {
    let failed = failures.iter().map(|failure| {
        let mut entry = failure.error.document(typed);
        if let Value::Object(members) = &mut entry {
            members.insert("name".to_owned(), json!(failure.name));
        }
        entry
    });
    let mut document = done.clone();
    document.insert("failed".to_owned(), failed.collect());
    Value::Object(document)
}
