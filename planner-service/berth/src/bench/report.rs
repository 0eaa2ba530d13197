//! How results are written: a table for people, JSON for programs.

use benches::stages::{Census, Stage};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::output;

/// A table whose columns after the first hold numbers.
pub(crate) fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heads.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Writes text and the end of a line to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    output::print(format!("{text}\n").as_bytes()).map(drop)
}

/// How many decisions each stage took and how often HiGHS ran, in a line.
pub(crate) fn stages(census: &Census) -> String {
    let stages = Stage::ALL.map(|stage| format!("{} {}", stage.name(), census.of(stage)));
    let runs = census.runs;
    format!(
        "{}; HiGHS ran {} linear and {} integer programs",
        stages.join(", "),
        runs.linear,
        runs.integer
    )
}

/// The same as JSON.
pub(crate) fn stages_written(census: &Census) -> Value {
    let stages = Stage::ALL.map(|stage| (stage.name().to_owned(), json!(census.of(stage))));
    json!({
        "decisions": serde_json::Map::from_iter(stages),
        "highs_runs": { "linear": census.runs.linear, "integer": census.runs.integer },
    })
}

/// Microseconds in a unit that leaves few digits.
pub(crate) fn time(micros: f64) -> String {
    if micros < 1_000.0 {
        format!("{micros:.1} us")
    } else if micros < 1_000_000.0 {
        format!("{:.2} ms", micros / 1_000.0)
    } else {
        format!("{:.2} s", micros / 1_000_000.0)
    }
}

/// What the figures were measured on: cores, load of the machine, version.
pub(crate) fn machine() -> Value {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "optimised": !cfg!(debug_assertions),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "load": load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
    })
}

/// Greatest resident memory of this process so far, in kB; `None` where `/proc` has no such line.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
