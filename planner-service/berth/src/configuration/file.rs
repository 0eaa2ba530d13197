//! One configuration file: TOML with Berth's own options, or Blazar's `blazar.conf`.
//!
//! Which of the two it is follows from its contents: only Blazar's has groups (`[DEFAULT]`). A file without groups is
//! TOML unless it cannot be and is called `.conf`, `.ini` or `.cfg`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Command;
use regular_file::{LONGEST, RegularFile};
use toml::{Table, Value};

use super::{Key, blazar, option_of};
use crate::file_mode;
use crate::secret::is_secret;

/// What a file says.
pub(super) struct Read {
    /// Options of `serve`, by name with underscores.
    pub(super) options: Table,
    /// What they are called in the file, where that is something else.
    pub(super) keys: BTreeMap<String, Key>,
    /// What its reader should know, a sentence each.
    pub(super) notes: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read or is neither of the two; the texts never quote it.
pub(super) fn read(path: &Path, serve: &Command) -> anyhow::Result<Read> {
    let failed = || format!("the configuration file {}", path.display());
    let unreadable = || format!("{} cannot be read", failed());
    let file = RegularFile::open(path).with_context(unreadable)?;
    let text = file.text(LONGEST).with_context(unreadable)?;
    let mut read = if is_blazars(path, &text, serve) {
        let read = blazar::read(&text).with_context(failed)?;
        let notes = read.ignored.iter().map(|ignored| format!("not used: {ignored}"));
        let mut options = read.options;
        if let Some(Value::String(file)) = options.get_mut("policy_file")
            && let Some(folder) = path.parent()
        {
            // As OpenStack does: relative to the file that names it.
            *file = folder.join(&*file).to_string_lossy().into_owned();
        }
        Read {
            options,
            keys: read.keys,
            notes: notes.collect(),
        }
    } else {
        Read {
            options: toml(&text).with_context(failed)?,
            keys: BTreeMap::new(),
            notes: Vec::new(),
        }
    };
    let mut keys = read.options.keys();
    let secret = keys.find(|key| option_of(serve, key).is_ok_and(is_secret));
    if let (Some(secret), Some(mode)) = (secret, file_mode::readable_by_everybody(file.metadata())) {
        read.notes.push(format!(
            "it holds {secret}, and every user of this machine can read it (mode {mode:o}); chmod o= {} keeps it private",
            path.display()
        ));
    }
    Ok(read)
}

/// Whether the file is Blazar's.
fn is_blazars(path: &Path, text: &str, serve: &Command) -> bool {
    if path.extension().is_some_and(|kind| kind == "toml") {
        return false;
    }
    let is_group = |line: &str| {
        let name = line.strip_prefix('[').and_then(|line| line.split_once(']'));
        name.is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|letter| !"\"'[,".contains(letter)))
    };
    if text.lines().any(is_group) {
        return true;
    }
    let called = path
        .extension()
        .is_some_and(|kind| ["conf", "ini", "cfg"].iter().any(|known| kind == *known));
    let is_own =
        toml(text).is_ok_and(|options| !options.is_empty() && options.keys().all(|key| option_of(serve, key).is_ok()));
    called && !is_own
}

/// The options of a TOML file.
fn toml(text: &str) -> anyhow::Result<Table> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        let lines = text.get(..before).unwrap_or_default().split('\n');
        let (line, column) = lines
            .enumerate()
            .last()
            .map_or((1, 1), |(index, last)| (index + 1, last.chars().count() + 1));
        // Its own text shows the line, and with it whatever password stands there.
        anyhow::anyhow!(
            "line {line}, column {column}: this is not TOML ({}); write NAME = \"TEXT\", a number, true or a list",
            error.message()
        )
    })?;
    if let Some((name, _)) = table.iter().find(|(_, value)| value.is_table()) {
        bail!(
            "[{name}]: a TOML file of Berth has no groups; those of blazar.conf are read if the file is not called .toml"
        );
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        serve: crate::options::ServeArguments,
    }

    fn kind(name: &str, text: &str) -> &'static str {
        if is_blazars(Path::new(name), text, &Program::command()) {
            "blazar.conf"
        } else {
            "TOML"
        }
    }

    #[test]
    fn d5_a_file_is_known_by_its_contents() {
        for (name, text, expected) in [
            ("berth.toml", "listen = \"127.0.0.1:1\"", "TOML"),
            ("berth.conf", "# ours\nlisten = \"127.0.0.1:1\"\n", "TOML"),
            ("berth", "resource_types = [\n  \"physical:host\",\n]\n", "TOML"),
            ("berth.cfg", "log = \"debug\"", "TOML"),
            ("blazar.cfg", "[DEFAULT]\nos_admin_password = x y\n", "blazar.conf"),
            (
                "blazar",
                "# comment\n[physical:host]\nbefore_end = snapshot\n",
                "blazar.conf",
            ),
            ("blazar.conf", "port = 1234\n", "blazar.conf"),
            ("blazar.conf", "host = 10.0.0.7\n", "blazar.conf"),
            ("blazar.conf", "", "blazar.conf"),
            ("other", "", "TOML"),
            ("other.toml", "[DEFAULT]\n", "TOML"),
        ] {
            assert_eq!(kind(name, text), expected, "{name}: {text}");
        }
    }

    #[test]
    fn v26_a_file_that_is_not_toml_is_not_quoted() {
        for text in [
            "listen = \"127.0.0.1:1\"\nos_password = \"hunter2",
            "transport_url = rabbit://u:hunter2@host/\n",
            "hunter2",
            "os_password = hunter2\n",
            "os_password = \"a\"\nos_password = \"hunter2\"\n",
            "hunter2 = [\n",
            "os_password = \"\\hunter2\"\n",
            "[x]\ny = \"hunter2\"\n",
        ] {
            let error = format!("{:#}", toml(text).unwrap_err());
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
        let error = toml("log = \"info\"\nos_password = hunter2\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2, column 15: "), "{error}");
    }
}
