//! `berth bench smptsp`: the public instances of shift minimisation personnel task scheduling.
//!
//! Exit codes: 0 when every instance was read, proved or not; 2 when one cannot be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use benches::smptsp::{Answer, Instance, read, solve};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use regular_file::RegularFile;
use serde_json::{Value, json};

use super::report;
use crate::solve::deadline;

/// Longest file that is read.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Solve shift minimisation instances
#[derive(Debug, Args)]
pub(crate) struct SmptspArguments {
    /// Folder that is searched for instances: files *.dat, also in folders within it.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print a JSON document instead of a table.
    #[arg(long)]
    json: bool,
    /// Seconds for one instance.
    #[arg(long, value_name = "S", default_value = "60", value_parser = crate::solve::seconds)]
    time_limit: f64,
    /// Only the instances of this name, with or without `.dat`.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Seed of the random choices.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// What one instance came to.
struct Line {
    name: String,
    instance: Instance,
    answer: Answer,
    seconds: f64,
}

/// Runs the command.
pub(crate) fn run(arguments: &SmptspArguments) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    find(&arguments.folder, &mut files)?;
    files.sort();
    if let Some(only) = &arguments.only {
        files.retain(|file| file.file_name().is_some_and(|name| name == only.as_str()) || stem_is(file, only));
    }
    if files.is_empty() {
        match &arguments.only {
            Some(only) => bail!("no instance {only} in {}", arguments.folder.display()),
            None => bail!("no file *.dat in {}", arguments.folder.display()),
        }
    }
    // All are read before the first is solved: a bad file is known at once, not after an hour.
    let mut instances = Vec::new();
    for file in &files {
        let text = RegularFile::open(file).and_then(|file| file.text(MOST_BYTES));
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        let instance = read(&text).with_context(|| format!("cannot read {}", file.display()))?;
        instances.push((name(file), instance));
    }
    let bar = progress(instances.len() as u64);
    let mut lines = Vec::new();
    for (name, instance) in instances {
        bar.set_message(name.clone());
        let started = Instant::now();
        let answer = solve(&instance, arguments.seed, &deadline(Some(arguments.time_limit), None));
        lines.push(Line {
            name,
            seconds: started.elapsed().as_secs_f64(),
            instance,
            answer,
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let written = if arguments.json {
        serde_json::to_string_pretty(&document(&lines)).context("the result cannot be written as JSON")?
    } else {
        table(&lines)
    };
    report::print(&written)?;
    Ok(ExitCode::SUCCESS)
}

/// The files `*.dat` of a folder and the folders within it. Links to folders are not followed.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let path = entry.path();
        let kind = entry
            .file_type()
            .with_context(|| format!("cannot read {}", path.display()))?;
        if kind.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "dat") {
            files.push(path);
        }
    }
    Ok(())
}

fn stem_is(file: &Path, name: &str) -> bool {
    file.file_stem().is_some_and(|stem| stem == name)
}

fn name(file: &Path) -> String {
    file.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// A bar on standard error, if that is a terminal.
fn progress(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} [{bar:30}] {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn document(lines: &[Line]) -> Value {
    let instance = |line: &Line| {
        json!({
            "name": line.name,
            "workers": line.answer.workers,
            "bound": line.answer.bound.workers(),
            "proved": line.answer.proved(),
            "seconds": (line.seconds * 1e3).round() / 1e3,
        })
    };
    json!({
        "machine": report::machine(),
        "instances": lines.iter().map(instance).collect::<Vec<_>>(),
    })
}

fn table(lines: &[Line]) -> String {
    let heads = ["instance", "tasks", "staff", "workers", "bound", "proved", "seconds"];
    let mut table = report::table(&heads);
    for line in lines {
        table.add_row([
            line.name.clone(),
            line.instance.tasks().len().to_string(),
            line.instance.workers().to_string(),
            line.answer
                .workers
                .map_or_else(|| "-".to_owned(), |workers| workers.to_string()),
            line.answer.bound.workers().to_string(),
            if line.answer.proved() { "yes" } else { "no" }.to_owned(),
            format!("{:.2}", line.seconds),
        ]);
    }
    let proved = lines.iter().filter(|line| line.answer.proved()).count();
    let longest = lines.iter().map(|line| line.seconds).fold(0.0, f64::max);
    format!("{table}\n{proved} of {} proved; longest {longest:.2} s", lines.len())
}
