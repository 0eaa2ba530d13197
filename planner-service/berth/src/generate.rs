//! `berth generate`: a random problem document to plan, to measure on, or to report a fault with.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use benches::generator::{Parameters, generate};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::taken;

/// Seconds in a minute.
const MINUTE: i64 = 60;

/// Write a random problem document
#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
    /// Where to write the document instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What the fleet and its requests are like. Shares and probabilities lie between 0 and 1.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Fleet and requests")]
pub(crate) struct StreamArguments {
    /// Same seed, same document
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The document's clock, in seconds since 1970
    #[arg(long, value_name = "SECONDS", default_value_t = 1_790_002_800)]
    pub(crate) now: i64,
    /// How many hosts
    #[arg(long, default_value_t = 300)]
    pub(crate) hosts: u32,
    /// How many classes of hosts that differ in what they can do
    #[arg(long, default_value_t = 12)]
    pub(crate) classes: usize,
    /// How much smaller a class is for each thing it can do beyond the poorest: e to minus this
    #[arg(long, default_value_t = 0.35)]
    pub(crate) rarity: f64,
    /// Deviation of the logarithm of a class's size
    #[arg(long, default_value_t = 0.6)]
    pub(crate) size_sigma: f64,
    /// Availability zones
    #[arg(long, default_value_t = 0)]
    pub(crate) zones: u32,
    /// Racks
    #[arg(long, default_value_t = 0)]
    pub(crate) racks: u32,
    /// Days over which requests arrive
    #[arg(long, default_value_t = 60)]
    pub(crate) days: u32,
    /// Host-hours asked for, as a share of hosts x days
    #[arg(long, default_value_t = 0.85)]
    pub(crate) load: f64,
    /// Probability that a part of a requirement is dropped
    #[arg(long, value_name = "P", default_value_t = 0.5)]
    pub(crate) drop: f64,
    /// Share of requests that begin on arrival
    #[arg(long, value_name = "SHARE", default_value_t = 0.35)]
    pub(crate) immediate: f64,
    /// Mean lead of the others (exponential)
    #[arg(long, value_name = "DAYS", default_value_t = 7.0)]
    pub(crate) lead_mean: f64,
    /// Longest lead
    #[arg(long, value_name = "DAYS", default_value_t = 45.0)]
    pub(crate) lead_max: f64,
    /// Median duration (lognormal)
    #[arg(long, value_name = "HOURS", default_value_t = 24.0)]
    pub(crate) duration_median: f64,
    /// Deviation of the duration's logarithm
    #[arg(long, default_value_t = 1.4)]
    pub(crate) duration_sigma: f64,
    /// Shortest duration
    #[arg(long, value_name = "HOURS", default_value_t = 1.0)]
    pub(crate) duration_min: f64,
    /// Longest duration
    #[arg(long, value_name = "HOURS", default_value_t = 1_080.0)]
    pub(crate) duration_max: f64,
    /// Share of starts in advance that lie on the hour; the others lie on a quarter of an hour
    #[arg(long, value_name = "SHARE", default_value_t = 0.7)]
    pub(crate) on_hour: f64,
    /// Shape of the Pareto distribution of hosts per request
    #[arg(long, default_value_t = 1.15)]
    pub(crate) shape: f64,
    /// Largest request, as a share of all hosts
    #[arg(long, value_name = "SHARE", default_value_t = 0.12)]
    pub(crate) fleet_cap: f64,
    /// Largest request, as a share of the hosts that suit it
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub(crate) suitable_cap: f64,
    /// Share of host requests that are content with half of the hosts
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) elastic: f64,
    /// Share of requests with a second reservation
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) multiple: f64,
    /// Share of requests that name a zone
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) zoned: f64,
    /// Share of requests that are extended later
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) extended: f64,
    /// Minutes before its start in which a reservation keeps its hosts
    #[arg(long, value_name = "MINUTES", default_value_t = 0)]
    pub(crate) freeze: u32,
    /// Minutes a host stays free after a reservation
    #[arg(long, value_name = "MINUTES", default_value_t = 0)]
    pub(crate) cleaning: u32,
    /// Share of requests for instances instead of hosts
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) instances: f64,
    /// Pools of units
    #[arg(long, default_value_t = 0)]
    pub(crate) pools: u32,
    /// Units of each pool
    #[arg(long, default_value_t = 16)]
    pub(crate) units: u32,
    /// Share of requests that ask for units as well
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) unit_requests: f64,
    /// Batches of hosts that are out of service together once
    #[arg(long, value_name = "BATCHES", default_value_t = 0)]
    pub(crate) maintenance: u32,
    /// Share of the hosts that belong to a batch
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    pub(crate) maintained: f64,
    /// How long a maintenance takes
    #[arg(long, value_name = "HOURS", default_value_t = 8)]
    pub(crate) maintenance_hours: u32,
    /// Hosts that are down when the stream begins: out of service until repaired, or not reservable if that is
    /// after the last day
    #[arg(long, value_name = "HOSTS", default_value_t = 0)]
    pub(crate) failures: u32,
    /// Mean time until a failed host is repaired
    #[arg(long, value_name = "DAYS", default_value_t = 4.0)]
    pub(crate) repair_days: f64,
}

impl StreamArguments {
    /// The generator's parameters.
    pub(crate) fn parameters(&self) -> Parameters {
        Parameters {
            seed: self.seed,
            now: self.now,
            hosts: self.hosts,
            classes: self.classes,
            rarity: self.rarity,
            size_sigma: self.size_sigma,
            zones: self.zones,
            racks: self.racks,
            days: self.days,
            load: self.load,
            drop: self.drop,
            immediate: self.immediate,
            lead_mean: self.lead_mean,
            lead_max: self.lead_max,
            duration_median: self.duration_median,
            duration_sigma: self.duration_sigma,
            duration_min: self.duration_min,
            duration_max: self.duration_max,
            on_hour: self.on_hour,
            shape: self.shape,
            fleet_cap: self.fleet_cap,
            suitable_cap: self.suitable_cap,
            elastic: self.elastic,
            multiple: self.multiple,
            zoned: self.zoned,
            extended: self.extended,
            freeze: MINUTE * i64::from(self.freeze),
            cleaning: MINUTE * i64::from(self.cleaning),
            instances: self.instances,
            pools: self.pools,
            units: self.units,
            unit_requests: self.unit_requests,
            maintenance: self.maintenance,
            maintained: self.maintained,
            maintenance_hours: self.maintenance_hours,
            failures: self.failures,
            repair_days: self.repair_days,
        }
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &GenerateArguments) -> anyhow::Result<ExitCode> {
    let bar = bar(0, "host-minutes");
    let problem = generate(&arguments.stream.parameters(), |drawn, wanted| {
        bar.set_length(wanted);
        bar.set_position(drawn);
    })?;
    bar.finish_and_clear();
    let write = |out: &mut dyn Write| -> io::Result<()> {
        serde_json::to_writer(&mut *out, &problem)?;
        out.write_all(b"\n")?;
        out.flush()
    };
    match &arguments.output {
        Some(file) => {
            let opened = std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
            write(&mut BufWriter::new(opened)).with_context(|| format!("cannot write {}", file.display()))?;
        }
        None => taken(write(&mut BufWriter::new(io::stdout().lock())))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A bar on standard error if that is a terminal.
pub(crate) fn bar(length: u64, unit: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    let template = format!("{{msg:24}} {{wide_bar}} {{pos}}/{{len}} {unit} {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        generate: GenerateArguments,
    }

    /// What the program writes with these arguments.
    fn written(arguments: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("problem.json");
        let output = ["--output", file.to_str().expect("its name is text")];
        let all = ["generate"]
            .into_iter()
            .chain(arguments.split_whitespace())
            .chain(output);
        let program = Program::try_parse_from(all).expect("the arguments are known");
        run(&program.generate).expect("it is drawn");
        std::fs::read(&file).expect("it is written")
    }

    #[test]
    fn without_arguments_the_protocol_is_followed() {
        let program = Program::try_parse_from(["generate"]).expect("nothing is required");
        assert_eq!(program.generate.stream.parameters(), Parameters::default());
    }

    #[test]
    fn the_same_arguments_give_the_same_bytes() {
        let all = "--hosts 60 --days 10 --zones 2 --racks 6 --zoned 0.2 --elastic 0.2 --multiple 0.2 --extended 0.3 \
            --freeze 60 --cleaning 30 --instances 0.2 --pools 1 --unit-requests 0.1 --maintenance 3 --failures 4 \
            --rarity 0.2 --size-sigma 0.4";
        let first = written(all);
        assert!(!first.is_empty());
        assert_eq!(first, written(all));
        assert_ne!(first, written(&format!("{all} --seed 2")));
    }
}
