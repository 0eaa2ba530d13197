//! Layers of configuration: flag, then environment variable, then files, then default. A later file wins over an earlier.
//!
//! The files' keys become flags in front of the given ones, so that one parser knows every option, its
//! type and its limits, and every complaint names the option and what is allowed. Invariant: no complaint about a file
//! quotes it, because it may hold passwords.

mod blazar;
mod file;
mod unused;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use toml::Value;

pub(crate) use unused::refuse_without_effect;

use crate::output::Remarks;
use crate::secret::{environment, values_of, variable};

/// The arguments of the program, with those that stand in files.
#[derive(Debug)]
pub(crate) struct Layered {
    /// All of them.
    pub(crate) arguments: Vec<OsString>,
    /// Where those stand that come from files, by the option's name with underscores.
    places: BTreeMap<String, Place>,
}

/// Where an option stands.
#[derive(Debug)]
struct Place {
    file: PathBuf,
    key: Key,
}

/// What an option is called in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// As Berth calls it.
    Own(String),
    /// An option of Blazar's, which may well have no effect.
    Blazars(String),
}

impl Layered {
    /// Whether an option stands in a file for Blazar's sake.
    pub(crate) fn is_blazars(&self, option: &str) -> bool {
        let place = self.places.get(option);
        place.is_some_and(|place| matches!(place.key, Key::Blazars(_)))
    }

    /// Where the option stands that the parser complains of, if it stands in a file.
    pub(crate) fn place_of(&self, complaint: &clap::Error) -> Option<String> {
        let Some(ContextValue::String(argument)) = complaint.get(ContextKind::InvalidArg) else {
            return None;
        };
        let flag = argument.split([' ', '=']).next()?.strip_prefix("--")?;
        let Place { file, key } = self.places.get(&flag.replace('-', "_"))?;
        let (Key::Own(key) | Key::Blazars(key)) = key;
        Some(format!("in the configuration file {}: {key}", file.display()))
    }
}

/// Whether the arguments are those of `serve`.
pub(crate) fn is_for_serve(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|command| command == "serve")
}

/// The arguments with those of the configuration files put in, if `serve` was given some.
pub(crate) fn with_files(arguments: Vec<OsString>, program: &Command, remarks: &Remarks) -> anyhow::Result<Layered> {
    let asks_for_help = |argument: &OsString| argument == "--help" || argument == "-h";
    if !is_for_serve(&arguments) || arguments.iter().any(asks_for_help) {
        return Ok(Layered {
            arguments,
            places: BTreeMap::new(),
        });
    }
    let serve = serve_of(program)?;
    // What counts, and where it stands.
    let mut options: BTreeMap<String, (Value, Place)> = BTreeMap::new();
    for path in named_files(&arguments) {
        let failed = || format!("in the configuration file {}", path.display());
        let read = file::read(&path, serve)?;
        for note in &read.notes {
            // The log is not there yet: options say how it is written.
            remarks.say(format_args!("berth: {}: {note}", path.display()));
        }
        let mut keys = read.keys;
        for (name, value) in read.options {
            option_of(serve, &name).with_context(failed)?;
            let key = keys.remove(&name).unwrap_or_else(|| Key::Own(name.clone()));
            let file = path.clone();
            options.insert(name, (value, Place { file, key }));
        }
    }
    let mut result = arguments[..2].to_vec();
    let mut places = BTreeMap::new();
    for (key, (value, place)) in options {
        let option = option_of(serve, &key)?;
        let flag = key.replace('_', "-");
        if environment(option).is_some() || !values_of(&arguments, &flag).is_empty() {
            continue;
        }
        let name = format!("--{flag}");
        let argument = argument(&name, option, &value)
            .with_context(|| format!("in the configuration file {}: option `{key}`", place.file.display()))?;
        result.extend(argument);
        places.insert(key, place);
    }
    result.extend_from_slice(&arguments[2..]);
    Ok(Layered {
        arguments: result,
        places,
    })
}

/// The files named by `--config`, or else by the environment.
fn named_files(arguments: &[OsString]) -> Vec<PathBuf> {
    let named = values_of(arguments, "config");
    if named.is_empty() {
        return variable("BERTH_CONFIG").map(PathBuf::from).into_iter().collect();
    }
    named.into_iter().map(PathBuf::from).collect()
}

fn serve_of(program: &Command) -> anyhow::Result<&Command> {
    program
        .find_subcommand("serve")
        .context("the program has no command `serve`")
}

/// The option of `serve` that a key of a file names.
fn option_of<'a>(serve: &'a Command, key: &str) -> anyhow::Result<&'a Arg> {
    let flag = key.replace('_', "-");
    let found = options(serve).find(|(name, _)| *name == flag);
    if let Some((_, option)) = found {
        return Ok(option);
    }
    let known: BTreeSet<String> = options(serve).map(|(name, _)| name.replace('-', "_")).collect();
    bail!(
        "there is no option `{key}`; options are {}",
        Vec::from_iter(known).join(", ")
    );
}

/// The options of `serve` that files may set, by their flags.
fn options(serve: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    serve
        .get_arguments()
        .filter_map(|option| Some((option.get_long()?, option)))
        .filter(|(name, _)| !matches!(*name, "config" | "help"))
}

/// An option of a file as an argument, `None` if it says no.
fn argument(name: &str, option: &Arg, value: &Value) -> anyhow::Result<Option<OsString>> {
    if matches!(option.get_action(), ArgAction::SetTrue) {
        return Ok(is_true(value)?.then(|| OsString::from(name)));
    }
    let text = match (value, option.get_value_delimiter()) {
        (Value::Array(items), Some(delimiter)) => {
            let items: Vec<String> = items.iter().map(scalar).collect::<anyhow::Result<_>>()?;
            if items.iter().any(|item| item.contains(delimiter)) {
                bail!("an element of the list contains '{delimiter}', which stands between elements");
            }
            items.join(&delimiter.to_string())
        }
        (Value::Array(_), None) => bail!("it is a list; one text or whole number is allowed"),
        (value, _) => scalar(value)?,
    };
    Ok(Some(joined(name.as_ref(), &text)))
}

/// Whether a value means yes, in TOML or in the words of OpenStack's files.
fn is_true(value: &Value) -> anyhow::Result<bool> {
    if let Some(is_on) = value.as_bool() {
        return Ok(is_on);
    }
    match value.as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => bail!("it is neither true nor false"),
    }
}

fn scalar(value: &Value) -> anyhow::Result<String> {
    match (value.as_str(), value.as_integer()) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Some(number)) => Ok(number.to_string()),
        (None, None) => bail!("{} stands where a text or a whole number is allowed", value.type_str()),
    }
}

fn joined(name: &OsStr, value: &str) -> OsString {
    let mut flag = name.to_owned();
    flag.push("=");
    flag.push(value);
    flag
}

/// Every option of `serve`, as a configuration file with everything commented out.
pub(crate) fn reference(program: &Command) -> anyhow::Result<String> {
    let mut text =
        "# Options of `berth serve`. Order of precedence: flag, environment variable, file, default.\n".to_owned();
    for (flag, option) in options(serve_of(program)?) {
        let key = flag.replace('-', "_");
        let takes_value = option.get_action().takes_values();
        let default = match option.get_default_values().first() {
            Some(value) if takes_value => format!(" \"{}\"", value.to_string_lossy()),
            None if takes_value => String::new(),
            _ => " false".to_owned(),
        };
        let names = option.get_value_names().filter(|_| takes_value);
        let value = names
            .and_then(|names| names.first())
            .map_or_else(String::new, |name| format!(" {name}"));
        let environment = option
            .get_env()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        write!(
            text,
            "\n# {help}\n# --{flag}{value}, {environment}\n# {key} ={default}\n"
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Uncommented, the reference is a file that sets every option with a default to it.
    #[test]
    fn the_reference_is_a_file_of_options() {
        let program = crate::Program::command();
        let text = reference(&program).expect("it is written");
        assert!(
            text.contains("\n# --trusts, BERTH_TRUSTS\n# trusts = false\n"),
            "{text}"
        );
        assert!(
            text.contains("\n# --listen ADDR:PORT, BERTH_LISTEN\n# listen = \"127.0.0.1:1234\"\n"),
            "{text}"
        );
        let serve = serve_of(&program).expect("it is there");
        let settings = text.lines().filter_map(|line| line.strip_prefix("# "));
        let settings: Vec<&str> = settings.filter(|line| line.contains(" = ")).collect();
        let options: toml::Table = settings.join("\n").parse().expect("it is TOML");
        assert!(options.len() > 30, "{options:?}");
        for (key, value) in &options {
            let option = option_of(serve, key).unwrap_or_else(|error| panic!("{error}"));
            assert!(argument("--x", option, value).is_ok(), "{key} = {value:?}");
        }
    }
}
