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
use clap::{Arg, ArgAction, Command};
use toml::Value;

pub(crate) use unused::refuse_without_effect;

use crate::output::remark;
use crate::secret::{environment, values_of};

/// The arguments with those of the configuration files put in, if `serve` was given some.
pub(crate) fn with_files(arguments: Vec<OsString>, program: &Command) -> anyhow::Result<Vec<OsString>> {
    if arguments.get(1).is_none_or(|command| command != "serve") {
        return Ok(arguments);
    }
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return Ok(arguments);
    }
    let serve = serve_of(program)?;
    // What counts, and which file says it.
    let mut options: BTreeMap<String, (Value, PathBuf)> = BTreeMap::new();
    for path in named_files(&arguments) {
        let failed = || format!("in the configuration file {}", path.display());
        let read = file::read(&path, serve)?;
        for note in &read.notes {
            // The log is not there yet: options say how it is written.
            remark(format_args!("berth: {}: {note}", path.display()));
        }
        for (key, value) in read.options {
            option_of(serve, &key).with_context(failed)?;
            options.insert(key, (value, path.clone()));
        }
    }
    let mut result = arguments[..2].to_vec();
    for (key, (value, path)) in &options {
        let option = option_of(serve, key)?;
        let flag = key.replace('_', "-");
        if environment(option).is_some() || !values_of(&arguments, &flag).is_empty() {
            continue;
        }
        let name = format!("--{flag}");
        let argument = argument(&name, option, value)
            .with_context(|| format!("in the configuration file {}: option `{key}`", path.display()))?;
        result.extend(argument);
    }
    result.extend_from_slice(&arguments[2..]);
    Ok(result)
}

/// The files named by `--config`, or else by the environment.
fn named_files(arguments: &[OsString]) -> Vec<PathBuf> {
    let named = values_of(arguments, "config");
    if named.is_empty() {
        let variable = std::env::var_os("BERTH_CONFIG").filter(|value| !value.is_empty());
        return variable.map(PathBuf::from).into_iter().collect();
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
        let default = option
            .get_default_values()
            .first()
            .map_or_else(String::new, |value| format!(" \"{}\"", value.to_string_lossy()));
        let unit = option
            .get_value_names()
            .and_then(|names| names.first())
            .map_or("yes/no", |name| name.as_str());
        let environment = option
            .get_env()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        write!(
            text,
            "\n# {help}\n# --{flag} {unit}, {environment}\n# {key} ={default}\n"
        )?;
    }
    Ok(text)
}
