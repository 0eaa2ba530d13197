//! The list of countables as an operator writes it.

use std::collections::BTreeSet;

use plugin_api::echo::cut;
use serde::Deserialize;
use url::Url;

/// Longest name of a resource type and a unit together, in characters: the book's ids of units hold both.
const LONGEST: usize = 63;
/// How much of a text about a member is shown, in characters.
const LONGEST_NAMED: usize = 200;
/// Most units of one resource type.
const MOST_UNITS: usize = 100_000;
/// Resource types that are not an operator's to name.
const TAKEN: [&str; 4] = [
    "physical:host",
    "virtual:instance",
    "flavor:instance",
    "virtual:floatingip",
];

/// A resource type and its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countable {
    /// The `resource_type` of its reservations.
    pub resource_type: String,
    /// Names of its units, each once.
    pub units: Vec<String>,
    /// Who is told of starts and ends; `None`: whoever is told of everything.
    pub webhook: Option<String>,
    /// File with the secret that documents to this webhook are signed with.
    pub secret_file: Option<String>,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CountableError {
    /// It is not a JSON list of countables.
    #[error(
        r#"a list such as [{{"resource_type": "licence:cad", "units": 5, "webhook": "https://example.org/licences"}}] is needed; line {line}, column {column} does not fit{}"#,
        .member.as_ref().map(|member| format!(": {member}")).unwrap_or_default()
    )]
    NotCountables {
        /// Which member is missing, unknown or given twice, where that is what is wrong.
        member: Option<String>,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A name cannot be used.
    #[error("resource type '{resource_type}': {reason}")]
    Unusable {
        /// The type.
        resource_type: String,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    resource_type: String,
    units: Units,
    webhook: Option<String>,
    secret_file: Option<String>,
}

/// How many there are, or what they are called.
#[derive(Deserialize)]
#[serde(untagged)]
enum Units {
    Number(usize),
    Names(Vec<String>),
}

/// Reads a JSON list of `resource_type`, `units` (a number, or names) and, if somebody of its own is to be told, `webhook` and `secret_file`.
///
/// # Errors
/// Says which entry cannot be used, and why.
pub fn read(text: &str) -> Result<Vec<Countable>, CountableError> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| CountableError::NotCountables {
        member: about_a_member(&error),
        line: error.line(),
        column: error.column(),
    })?;
    let mut seen = BTreeSet::new();
    entries
        .into_iter()
        .map(|entry| {
            let resource_type = entry.resource_type.clone();
            let unusable = |reason: String| CountableError::Unusable {
                resource_type: resource_type.clone(),
                reason,
            };
            if !seen.insert(resource_type.clone()) {
                return Err(unusable("it is listed twice".to_owned()));
            }
            countable(entry).map_err(unusable)
        })
        .collect()
}

/// What the reader says of a member's name. What it says of values may quote a webhook, and a password in it.
fn about_a_member(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let is_of_a_name = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|beginning| text.starts_with(beginning));
    let end = text.rfind(" at line ").unwrap_or(text.len());
    is_of_a_name.then(|| cut(&text[..end], LONGEST_NAMED))
}

fn countable(entry: Entry) -> Result<Countable, String> {
    let Entry {
        resource_type,
        units,
        webhook,
        secret_file,
    } = entry;
    let is_plain =
        |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_graphic() && letter != '/');
    if !is_plain(&resource_type) || TAKEN.contains(&resource_type.as_str()) {
        return Err("a name of letters, digits and signs other than / is allowed, and none of Blazar's own".to_owned());
    }
    let units = match units {
        Units::Number(number) if number <= MOST_UNITS => (1..=number).map(|unit| unit.to_string()).collect(),
        Units::Names(names) if names.len() <= MOST_UNITS => names,
        Units::Number(_) | Units::Names(_) => return Err(format!("at most {MOST_UNITS} units are allowed")),
    };
    let mut seen = BTreeSet::new();
    for unit in &units {
        if !is_plain(unit) || resource_type.chars().count() + unit.chars().count() > LONGEST {
            return Err(format!(
                "unit '{unit}': letters, digits and signs other than / are allowed, with the type at most {LONGEST} characters"
            ));
        }
        if !seen.insert(unit) {
            return Err(format!("unit '{unit}' is listed twice"));
        }
    }
    if secret_file.is_some() && webhook.is_none() {
        return Err("secret_file: it belongs to a webhook, and there is none".to_owned());
    }
    if let Some(webhook) = &webhook {
        let parsed = Url::parse(webhook).ok();
        if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
            return Err("webhook: an http or https URL is allowed".to_owned());
        }
    }
    Ok(Countable {
        resource_type,
        units,
        webhook,
        secret_file,
    })
}
