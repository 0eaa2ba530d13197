//! The program `berth`: server, client and planner.

mod backup;
mod bench;
mod check;
mod configuration;
mod crash;
mod file_mode;
mod generate;
mod import;
mod log_writer;
mod options;
mod output;
mod policy_file;
mod secret;
mod serve;
mod solve;
mod token;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use planner_core::environment::RandomIdentifiers;

use crate::output::{Remarks, print};

/// Reservations and capacity planning for OpenStack and for machines without one.
#[derive(Debug, Parser)]
#[command(name = "berth", version, about, max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: API, book and lifecycle in one process
    Serve(Box<options::ServeArguments>),
    /// Create or upgrade the schema of the database and stop
    Migrate(options::DatabaseArguments),
    /// Copy the book in a SQLite file to another file, also while the service runs
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the book in a SQLite file; the service must not run
    Restore(backup::RestoreArguments),
    /// Take over hosts, leases and floating IPs from a Blazar database; it is only read
    ImportBlazar(import::ImportArguments),
    /// Decide a planning problem offline and print the plan
    Solve(solve::SolveArguments),
    /// Recount a plan against its problem, independently of the planner
    Check(check::CheckArguments),
    /// Write a random problem: a fleet of hosts and a stream of requests
    Generate(Box<generate::GenerateArguments>),
    /// Measure Berth beside other ways of planning
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Print every option of `serve`: flag, configuration key, environment variable, default, meaning
    Config,
    /// Make, list and revoke tokens of a token file
    Token(token::TokenArguments),
    /// Print every policy rule: what it guards, and who may do that
    Policy(policy_file::PolicyArguments),
    /// Print the description of the API `/capacity/v1` in `OpenAPI`
    Openapi,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    #[command(flatten)]
    Client(Box<client::Command>),
}

fn main() -> ExitCode {
    // Two TLS back-ends are linked; libraries that ask for the process's default must find one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let given: Vec<OsString> = std::env::args_os().collect();
    let service = configuration::is_for_serve(&given).then(serve::Process::begin);
    let (ended, remarks) = match service.transpose() {
        Ok(service) => {
            let remarks = service.as_ref().map_or(Remarks::OfCommand, serve::Process::remarks);
            (run(given, service, &remarks), remarks)
        }
        Err(error) => (Err(error), Remarks::OfCommand),
    };
    let code = ended.unwrap_or_else(|error| {
        report(&error, &remarks);
        ExitCode::from(2)
    });
    remarks.finish();
    code
}

/// One line per cause.
fn report(error: &anyhow::Error, remarks: &Remarks) {
    remarks.say(format_args!("berth: {error}"));
    for cause in error.chain().skip(1) {
        remarks.say(format_args!("  because: {cause}"));
    }
}

/// Runs what the arguments ask for; `service` is there if that is `serve`.
fn run(given: Vec<OsString>, service: Option<serve::Process>, remarks: &Remarks) -> anyhow::Result<ExitCode> {
    let command = secret::guarded(Program::command());
    for warning in secret::warnings(&given, &command) {
        remarks.say(format_args!("berth: {warning}"));
    }
    let layered = configuration::with_files(given, &command, remarks)?;
    let matches = command
        .args_override_self(true)
        .try_get_matches_from(&layered.arguments)
        .unwrap_or_else(|error| {
            if let Some(place) = layered.place_of(&error) {
                remarks.say(format_args!("berth: {place}"));
            }
            remarks.finish();
            error.exit()
        });
    let program = Program::from_arg_matches(&matches)?;
    match program.command {
        Command::Serve(arguments) => {
            let is_given = |option: &str| {
                let serve = matches.subcommand_matches("serve");
                match serve.and_then(|serve| serve.value_source(option)) {
                    None | Some(ValueSource::DefaultValue) => false,
                    // OpenStack's variables are there for every program that speaks to it.
                    Some(ValueSource::EnvVariable) => option != "region" && !option.starts_with("os_"),
                    Some(_) => !layered.is_blazars(option),
                }
            };
            let is_set = |variable: &str| secret::variable(variable).is_some();
            configuration::refuse_without_effect(&arguments, &is_given, &is_set)?;
            let service = service.map_or_else(serve::Process::begin, Ok)?;
            service.serve(*arguments)
        }
        Command::Migrate(arguments) => runtime()?.block_on(serve::migrate(&arguments)),
        Command::Backup(arguments) => runtime()?.block_on(backup::backup(&arguments)),
        Command::Restore(arguments) => runtime()?.block_on(backup::restore(&arguments)),
        Command::ImportBlazar(arguments) => runtime()?.block_on(import::run(&arguments)),
        Command::Solve(arguments) => solve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Bench(command) => bench::run(&command),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Config => print(configuration::reference(&Program::command())?.as_bytes()),
        Command::Token(arguments) => token::run(&arguments, &RandomIdentifiers),
        Command::Policy(arguments) => print(policy_file::printed(&arguments)?.as_bytes()),
        Command::Openapi => print(format!("{}\n", server::openapi()?).as_bytes()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Program::command(), "berth", &mut script);
            print(&script)
        }
        Command::Client(command) => Ok(runtime()?.block_on(client::run_from_terminal(*command))),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
