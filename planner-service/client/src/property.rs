//! `berth property`: the properties of hosts.
//!
//! Invariant: a property is shown only if some host has it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::ConnectionArguments;
use crate::answer::list;
use crate::api::{Api, ApiError, segment};
use crate::error::ClientError;
use crate::hint::Kind;
use crate::output::{Cell, Output, cell_of, scalar, text_of};

/// `berth property`.
#[derive(Debug, Args)]
pub struct PropertyArguments {
    #[command(subcommand)]
    pub(crate) action: PropertyAction,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PropertyAction {
    /// List properties and their values
    List {
        /// Private ones too (operators only)
        #[arg(long)]
        all: bool,
    },
    /// Show a property and its values
    Show {
        /// Name of the property
        property: String,
    },
    /// Hide a property from users, or show it
    Set {
        /// Name of the property
        property: String,
        #[command(flatten)]
        visibility: Visibility,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Visibility {
    /// Hide it from users who are not operators
    #[arg(long)]
    private: bool,
    /// Show it to everybody
    #[arg(long)]
    public: bool,
}

const PATH: &str = "/v1/os-hosts/properties";

/// Every property that the caller may see, with its values.
async fn all(api: &Api) -> Result<Vec<Value>, ClientError> {
    let answer = api.get(PATH, &[("detail", "True"), ("all", "True")]).await?;
    list(answer, "resource_properties")
}

fn find<'a>(properties: &'a [Value], name: &str) -> Result<&'a Value, ClientError> {
    let found = properties.iter().find(|found| text_of(found, "property") == name);
    found.ok_or_else(|| {
        let known = properties.iter().filter_map(|known| known.get("property")?.as_str());
        ClientError::no_such(Kind::Property, name, known)
    })
}

pub(crate) async fn run(action: PropertyAction, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    match action {
        PropertyAction::List { all } => {
            let mut query = vec![("detail", "True")];
            if all {
                query.push(("all", "True"));
            }
            let answer = api.get(PATH, &query).await?;
            if output.json {
                output.value(&answer)
            } else {
                let none = if all {
                    NONE
                } else {
                    "No host has properties that everybody may see; --all shows operators the others."
                };
                print(&list(answer, "resource_properties")?, none, output)
            }
        }
        PropertyAction::Show { property } => {
            let properties = all(api).await?;
            let found = find(&properties, &property)?;
            if output.json {
                output.value(found)
            } else {
                print(std::slice::from_ref(found), NONE, output)
            }
        }
        PropertyAction::Set { property, visibility } => {
            let body = json!({"private": visibility.private});
            let answer = match api.patch(&format!("{PATH}/{}", segment(&property)), &body).await {
                Err(refusal @ ApiError::Refused { status: 404, .. }) => {
                    // Which ones there are says more.
                    find(&all(api).await?, &property)?;
                    return Err(refusal.into());
                }
                answer => answer?,
            };
            let who = if visibility.private {
                "operators only"
            } else {
                "everybody"
            };
            output.change(&format!("Property {property} is now shown to {who}."))?;
            if output.json { output.value(&answer) } else { Ok(()) }
        }
    }
}

/// That there is no property at all.
const NONE: &str = "No host has properties.";

fn print(properties: &[Value], none: &str, output: &mut Output<'_>) -> Result<(), ClientError> {
    let rows = properties
        .iter()
        .map(|property| {
            let values = property
                .get("values")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            vec![
                cell_of(property, "property"),
                Cell::new(if property.get("private") == Some(&Value::Bool(true)) {
                    "yes"
                } else {
                    "no"
                }),
                Cell::new(values.iter().map(scalar).collect::<Vec<_>>().join(", ")),
            ]
        })
        .collect();
    output.table(&["PROPERTY", "PRIVATE", "VALUES"], rows, none)
}
