//! Options that hold passwords and tokens: how they are kept, and what the program shows of them.
//!
//! Invariant: an option whose value may hold a password or a token has the type [`SecretString`]. Its value is in no help,
//! error or log, and the program warns of one on the command line, where every user of the machine can read it.

use std::any::TypeId;
use std::borrow::Cow;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, Resettable, TypedValueParser as _};
use clap::{Arg, Command};
use secrecy::SecretString;

/// Reads the value of such an option; there is no text that is refused, since a complaint would quote it.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
pub(crate) fn parse(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

/// Whether the value of an option may hold a password or a token.
pub(crate) fn is_secret(option: &Arg) -> bool {
    option.get_value_parser().type_id() == TypeId::of::<SecretString>()
}

/// The value of an option's environment variable; a blank one is unset.
pub(crate) fn environment(option: &Arg) -> Option<OsString> {
    option.get_env().and_then(variable)
}

/// The value of an environment variable; a blank one is unset.
pub(crate) fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !is_blank(value))
}

fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

/// The program's options with what holds for all of them: help shows no values from the environment, a blank environment
/// variable is unset, and a blank names no file or folder.
pub(crate) fn guarded(command: Command) -> Command {
    command
        .mut_args(|option| {
            let mut option = option.hide_env_values(true);
            if option.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
                option = option.value_parser(PathBufValueParser::new().try_map(|path| {
                    if is_blank(path.as_os_str()) {
                        return Err("a blank names no file or folder");
                    }
                    Ok(path)
                }));
            }
            if option.get_env().is_some() && environment(&option).is_none() {
                // The name stays in the help only while the variable is not set to a blank.
                let is_set = option.get_env().and_then(std::env::var_os).is_some();
                return if is_set { option.env(Resettable::Reset) } else { option };
            }
            option
        })
        .mut_subcommands(guarded)
}

/// A warning for each secret that stands on the command line.
pub(crate) fn warnings(arguments: &[OsString], program: &Command) -> Vec<String> {
    let mut command = program;
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(inner) = command.find_subcommand(word) {
            command = inner;
        }
    }
    command
        .get_arguments()
        .filter(|option| is_secret(option))
        .filter_map(|option| {
            let flag = option.get_long()?;
            let value = value_of(arguments, flag)?;
            let variable = option.get_env().map(OsStr::to_string_lossy);
            holds_secret(&value).then(|| match variable {
                Some(variable) => format!(
                    "--{flag} puts a secret on the command line, where every user of this machine can read it; set {variable} \
                     instead"
                ),
                None => format!("--{flag} puts a secret on the command line, where every user of this machine can read it"),
            })
        })
        .collect()
}

/// The last value of a flag on the command line.
pub(crate) fn value_of(arguments: &[OsString], flag: &str) -> Option<String> {
    values_of(arguments, flag).pop()
}

/// The values of a flag on the command line, in their order.
pub(crate) fn values_of(arguments: &[OsString], flag: &str) -> Vec<String> {
    let flag = format!("--{flag}");
    let mut values = Vec::new();
    let mut rest = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = rest.next() {
        let Some(after) = argument.strip_prefix(&flag) else {
            continue;
        };
        if after.is_empty() {
            values.extend(rest.next().map(Cow::into_owned));
        } else if let Some(value) = after.strip_prefix('=') {
            values.push(value.to_owned());
        }
    }
    values
}

/// Whether a value is a secret: an address only if it has a password.
fn holds_secret(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return !value.is_empty();
    };
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    // The last one: passwords may hold it too. RabbitMQ's addresses name several hosts.
    place.split(',').any(|host| {
        host.rsplit_once('@')
            .is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v26_an_address_is_a_secret_only_with_a_password() {
        for (value, is_secret) in [
            ("hunter2", true),
            ("postgres://berth:hunter2@db/berth", true),
            ("rabbit://one,u:hunter2@two/", true),
            ("https://u:p@ss@host/path", true),
            ("postgres://berth@db/berth", false),
            ("sqlite:///var/lib/berth/a@b:c", false),
            ("https://example.org/a:b@c", false),
            ("", false),
        ] {
            assert_eq!(holds_secret(value), is_secret, "{value}");
        }
    }
}
