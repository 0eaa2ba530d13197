//! `berth bench fleet --sweep`: one measurement after another, each in a process of its own, so that what one size leaves in
//! memory does not count for the next.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use benches::plot;
use benches::random::ratio;
use serde_json::Value;

use super::fleet::{FleetArguments, document};
use super::report::{print, table, time};

/// What is drawn over the number of hosts.
const DRAWN: [&str; 7] = [
    "count",
    "scan of intervals",
    "all decisions",
    "accept, by re-choosing",
    "refuse all that suit, by certificate",
    "earliest slot, without moves",
    "earliest slot, with moves",
];

/// Measures all sizes.
pub(crate) fn run(arguments: &FleetArguments) -> anyhow::Result<ExitCode> {
    let mut all = Vec::new();
    for &hosts in &arguments.sizes {
        all.push(measure(arguments, hosts)?);
    }
    if let Some(folder) = &arguments.plots {
        plots(folder, &all)?;
    }
    print(&if arguments.json {
        document(arguments, all)
    } else {
        shown(&all)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Measures a fleet of this size in another process.
fn measure(arguments: &FleetArguments, hosts: u32) -> anyhow::Result<Value> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    let mut command = Command::new(program);
    command.args(["bench", "fleet", "--json"]);
    let mut option = |name: &str, value: String| {
        command.arg(name).arg(value);
    };
    option("--hosts", hosts.to_string());
    option("--classes", arguments.classes.to_string());
    option("--seed", arguments.seed.to_string());
    option("--decisions", arguments.decisions.to_string());
    option("--wall", arguments.wall.to_string());
    option("--time-limit", arguments.time_limit.to_string());
    if let Some(leases) = arguments.leases {
        option("--leases", leases.to_string());
    }
    if let Some(seconds) = arguments.whole {
        option("--whole", seconds.to_string());
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("measuring {hosts} hosts failed: {}", output.status);
    }
    let document: Value = serde_json::from_slice(&output.stdout)?;
    let measured = document.pointer("/sizes/0").context("nothing was measured")?;
    Ok(measured.clone())
}

/// A table of all sizes.
fn shown(all: &[Value]) -> String {
    let mut memory = table(&[
        "hosts",
        "leases",
        "allocations",
        "load",
        "planner",
        "per host",
        "growth per host",
        "peak",
    ]);
    let mut before: Option<(u64, u64)> = None;
    for measured in all {
        let number = |name: &str| measured[name].as_u64().unwrap_or(0);
        let (hosts, planner) = (number("hosts"), number("planner_kilobytes"));
        let growth =
            before.map(|(fewer, less)| ratio(planner.saturating_sub(less), hosts.saturating_sub(fewer).max(1)));
        memory.add_row([
            hosts.to_string(),
            number("leases").to_string(),
            number("allocations").to_string(),
            format!("{:.2} s", measured["load_seconds"].as_f64().unwrap_or(0.0)),
            format!("{} MB", planner / 1_024),
            format!("{:.2} kB", ratio(planner, hosts.max(1))),
            growth.map_or(String::new(), |growth| format!("{growth:.2} kB")),
            format!("{} MB", number("peak_kilobytes") / 1_024),
        ]);
        before = Some((hosts, planner));
    }
    let mut heads = vec!["median, p99".to_owned()];
    heads.extend(all.iter().map(|measured| format!("{} hosts", measured["hosts"])));
    let mut times = table(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    let mut names: Vec<&String> = all
        .iter()
        .filter_map(|measured| measured["micros"].as_object())
        .flat_map(|times| times.keys())
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let cell = |measured: &Value| match (micros(measured, name, "median"), micros(measured, name, "p99")) {
            (Some(median), Some(p99)) => format!("{}, {}", time(median), time(p99)),
            _ => String::new(),
        };
        times.add_row(std::iter::once(name.clone()).chain(all.iter().map(cell)));
    }
    format!("{memory}\n{times}")
}

fn micros(measured: &Value, name: &str, figure: &str) -> Option<f64> {
    measured.get("micros")?.get(name)?.get(figure)?.as_f64()
}

/// Draws times and memory over the number of hosts.
fn plots(folder: &Path, all: &[Value]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let hosts = |measured: &Value| measured["hosts"].as_f64();
    let mut times: Vec<plot::Line> = Vec::new();
    for name in DRAWN {
        for figure in ["median", "p99"] {
            let points = all
                .iter()
                .filter_map(|measured| Some((hosts(measured)?, micros(measured, name, figure)?)));
            times.push((format!("{name}, {figure}"), points.collect()));
        }
    }
    times.retain(|(_, points)| !points.is_empty());
    let across = "hosts (two leases each)";
    plot::lines(
        &folder.join("fleet-time.svg"),
        "Time of one operation by fleet size",
        (across, "microseconds"),
        &times,
    )?;
    let memory = |name: &str, unit: fn(f64, f64) -> f64| {
        let points = all.iter().filter_map(|measured| {
            let hosts = hosts(measured)?;
            Some((hosts, unit(measured[name].as_f64()?, hosts)))
        });
        points.collect::<Vec<_>>()
    };
    let lines = |unit: fn(f64, f64) -> f64| {
        [
            ("planner".to_owned(), memory("planner_kilobytes", unit)),
            ("peak of the process".to_owned(), memory("peak_kilobytes", unit)),
        ]
    };
    plot::lines(
        &folder.join("fleet-memory.svg"),
        "Resident memory by fleet size",
        (across, "MB"),
        &lines(|kilobytes, _| kilobytes / 1_024.0),
    )?;
    plot::lines(
        &folder.join("fleet-memory-per-host.svg"),
        "Resident memory for each host: level where growth is linear",
        (across, "kB for each host"),
        &lines(|kilobytes, hosts| kilobytes / hosts),
    )?;
    Ok(())
}
