//! `berth bench`: measurements, each beside a baseline in the same run.
//!
//! Tables go to standard output, or JSON with `--json`; progress to standard error when that is a terminal.

mod batch;
mod fleet;
mod heal;
mod replay;
pub(crate) mod report;
mod smptsp;
mod sweep;
mod whole;

use std::process::ExitCode;

use clap::Subcommand;

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Put one stream of requests through Berth and through the baselines
    Replay(Box<replay::ReplayArguments>),
    /// Solve the public instances of shift minimisation: fewest workers, and whether that is proved
    Smptsp(smptsp::SmptspArguments),
    /// Choose the most valuable subset of many requests known at once
    Batch(Box<batch::BatchArguments>),
    /// Measure decisions on a large fleet that carries many leases
    Fleet(fleet::FleetArguments),
    /// Heal failures amid many leases, all together and beside it one after another
    Heal(heal::HealArguments),
    /// Plan all pending leases of a fleet anew, by Berth and by programs written down in one piece
    Whole(whole::WholeArguments),
}

/// Runs the command.
pub(crate) fn run(command: &BenchCommand) -> anyhow::Result<ExitCode> {
    match command {
        BenchCommand::Replay(arguments) => replay::run(arguments),
        BenchCommand::Smptsp(arguments) => smptsp::run(arguments),
        BenchCommand::Batch(arguments) => batch::run(arguments),
        BenchCommand::Fleet(arguments) if arguments.sweep => sweep::run(arguments),
        BenchCommand::Fleet(arguments) => fleet::run(arguments),
        BenchCommand::Heal(arguments) => heal::run(arguments),
        BenchCommand::Whole(arguments) => whole::run(arguments),
    }
}
