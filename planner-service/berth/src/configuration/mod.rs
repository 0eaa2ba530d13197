//! Layers of configuration: flag, then environment variable, then file, then default. A file that ends in `.conf` or `.ini`
//! is Blazar's.
//!
//! The file's keys become flags in front of the given ones, so that one parser knows every option, its
//! type and its limits, and every complaint names the option, the value and what is allowed.

mod blazar;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{ArgAction, Command};

/// The arguments with those of the configuration file put in, if `serve` was given one.
pub(crate) fn with_file(arguments: Vec<OsString>, program: &Command) -> anyhow::Result<Vec<OsString>> {
    if arguments.get(1).is_none_or(|command| command != "serve") {
        return Ok(arguments);
    }
    let Some(path) = named_file(&arguments) else {
        return Ok(arguments);
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
    let is_blazars = path.extension().is_some_and(|kind| kind == "conf" || kind == "ini");
    let table: toml::Table = if is_blazars {
        let read = blazar::read(&text).with_context(|| format!("in the configuration file {}", path.display()))?;
        for ignored in &read.ignored {
            // The log is not there yet: options say how it is written.
            writeln!(std::io::stderr(), "berth: {}: not used: {ignored}", path.display())?;
        }
        let mut options = read.options;
        if let Some(toml::Value::String(file)) = options.get_mut("policy_file")
            && let Some(folder) = path.parent()
        {
            // As OpenStack does: relative to the file that names it.
            *file = folder.join(&*file).to_string_lossy().into_owned();
        }
        options
    } else {
        text.parse()
            .with_context(|| format!("the configuration file {} is not TOML", path.display()))?
    };
    let mut result = arguments[..2].to_vec();
    result.extend(flags(&table, program).with_context(|| format!("in the configuration file {}", path.display()))?);
    result.extend_from_slice(&arguments[2..]);
    Ok(result)
}

/// The file named by `--config` or the environment.
fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(text) = argument.to_str() else { continue };
        if text == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os("BERTH_CONFIG").map(PathBuf::from)
}

/// The file's options as flags, without those an environment variable overrides.
fn flags(table: &toml::Table, program: &Command) -> anyhow::Result<Vec<OsString>> {
    let serve = program
        .find_subcommand("serve")
        .context("the program has no command `serve`")?;
    let mut result = Vec::new();
    for (key, value) in table {
        let flag = key.replace('_', "-");
        let option = serve
            .get_arguments()
            .find(|option| option.get_long() == Some(flag.as_str()) && flag != "config");
        let Some(option) = option else {
            let known: BTreeSet<String> = serve
                .get_arguments()
                .filter_map(|option| option.get_long())
                .filter(|name| *name != "config")
                .map(|name| name.replace('-', "_"))
                .collect();
            bail!(
                "there is no option `{key}`; options are {}",
                Vec::from_iter(known).join(", ")
            );
        };
        if option.get_env().and_then(std::env::var_os).is_some() {
            continue;
        }
        let name = OsString::from(format!("--{flag}"));
        match (value, option.get_action()) {
            (toml::Value::Boolean(on), ArgAction::SetTrue) => {
                if *on {
                    result.push(name);
                }
            }
            (toml::Value::String(text), _) => result.extend([joined(&name, text)]),
            (toml::Value::Integer(number), _) => result.extend([joined(&name, &number.to_string())]),
            (other, _) => bail!(
                "option `{key}` is a {}; a text or a whole number is allowed",
                other.type_str()
            ),
        }
    }
    Ok(result)
}

fn joined(name: &OsStr, value: &str) -> OsString {
    let mut flag = name.to_owned();
    flag.push("=");
    flag.push(value);
    flag
}

/// Every option of `serve`, as a configuration file with everything commented out.
pub(crate) fn reference(program: &Command) -> anyhow::Result<String> {
    let serve = program
        .find_subcommand("serve")
        .context("the program has no command `serve`")?;
    let mut text =
        "# Options of `berth serve`. Order of precedence: flag, environment variable, file, default.\n".to_owned();
    for option in serve.get_arguments() {
        let Some(flag) = option.get_long() else { continue };
        if matches!(flag, "help" | "config") {
            continue;
        }
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
