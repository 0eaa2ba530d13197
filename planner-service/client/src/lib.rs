//! The client commands.
//!
//! Invariant: with `--json` each command prints one document, which is what the API answered, unchanged; only commands that
//! make a call for each name they are given print a list for what became of them, and errors that the service did not answer
//! an object `error`. Everything else on the screen is derived from answers. Nothing here decides: the service does.
//!
//! [`Command`] is flattened into the program's command line; [`run_from_terminal`] does everything a
//! command needs, [`run`] is the same with the endpoint and the output chosen by the caller.

mod allocation;
mod answer;
mod api;
mod availability;
mod condition;
mod endpoint;
mod error;
mod floating_ip;
mod hint;
mod host;
mod http;
mod key_values;
mod keystone;
mod lease;
mod moment;
mod output;
mod property;
mod report;
mod request;
mod reservation;
mod several;
mod size;
mod timeline;
mod timeline_chart;
mod what_if;

use std::io::Write;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

pub use allocation::AllocationArguments;
pub use api::{Api, ApiError};
pub use availability::AvailabilityArguments;
pub use condition::{ConditionError, parse_condition};
pub use endpoint::{Endpoint, EndpointError, TypedConnection};
pub use error::ClientError;
pub use floating_ip::FloatingIpArguments;
pub use hint::Kind;
pub use host::HostArguments;
pub use keystone::{Environment, KeystoneError};
pub use lease::LeaseArguments;
pub use moment::{Moment, MomentError};
pub use output::Output;
use output::{broken, escaped};
pub use property::PropertyArguments;
pub use several::Failure;
pub use timeline::TimelineArguments;
pub use what_if::WhatIfArguments;

/// Everything the client can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Book, show, change and delete leases
    Lease(LeaseArguments),
    /// Register, show, change and remove hosts
    Host(HostArguments),
    /// Show what every host is promised to
    Allocation(AllocationArguments),
    /// Show the properties of hosts, and hide or publish them
    Property(PropertyArguments),
    /// Register, show and remove floating IPs
    #[command(name = "floatingip")]
    FloatingIp(FloatingIpArguments),
    /// Draw hosts and time in the terminal
    Timeline(TimelineArguments),
    /// Show how many hosts are free when, without anybody's names
    Availability(AvailabilityArguments),
    /// Ask what would become of a lease, or of all if hosts came or went; nothing is reserved
    WhatIf(Box<WhatIfArguments>),
}

/// Where the service is and how to print; understood by every client command.
///
/// The variables are read by [`Endpoint::resolve`]: an option that clap takes from the environment stands as a required
/// one in the usage lines of its errors, and cannot be told from one that was typed.
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectionArguments {
    /// Address of the service
    #[arg(
        long,
        help = "Address of the service, with or without /v1; without it the OS_* variables are used if set [env: BERTH_URL]",
        value_name = "URL",
        global = true,
        help_heading = "Connection and output"
    )]
    pub url: Option<String>,
    /// Token to send
    #[arg(
        long,
        help = "Token to send; without it, and with an address given, none is sent [env: BERTH_TOKEN]",
        value_name = "TOKEN",
        global = true,
        help_heading = "Connection and output"
    )]
    pub token: Option<String>,
    /// Print one JSON document
    #[arg(
        long,
        help = "Print one JSON document: what the API answered, or what went wrong",
        global = true,
        help_heading = "Connection and output"
    )]
    pub json: bool,
}

impl Command {
    /// How this command was told to reach the service and to print.
    pub const fn connection(&self) -> &ConnectionArguments {
        match self {
            Self::Lease(arguments) => &arguments.connection,
            Self::Host(arguments) => &arguments.connection,
            Self::Allocation(arguments) => &arguments.connection,
            Self::Property(arguments) => &arguments.connection,
            Self::FloatingIp(arguments) => &arguments.connection,
            Self::Timeline(arguments) => &arguments.connection,
            Self::Availability(arguments) => &arguments.connection,
            Self::WhatIf(arguments) => &arguments.connection,
        }
    }
}

/// Runs one command against the service at `endpoint`; relative times count from `now`.
///
/// # Errors
/// [`ClientError`], whose [`ClientError::exit_code`] is 1 when the service refused, 2 when the command
/// line is wrong, 3 when the service did not answer.
pub async fn run(
    command: Command,
    endpoint: Endpoint,
    mut output: Output<'_>,
    now: DateTime<Utc>,
) -> Result<ExitCode, ClientError> {
    let typed = endpoint.typed.clone();
    let done = async {
        let api = Api::new(endpoint)?;
        carry_out(command, &api, &mut output, now).await
    };
    let done = done.await.map_err(|error| output.with_notes(error));
    if let Err(error) = &done {
        say(error, &typed, &mut output)?;
    }
    done
}

/// Prints the document of an error where JSON is printed, once for each command.
fn say(error: &ClientError, typed: &TypedConnection, output: &mut Output<'_>) -> Result<(), ClientError> {
    if output.json && !matches!(error, ClientError::Output(_) | ClientError::Unwritten { .. }) {
        output.value(&error.document(typed))?;
    }
    Ok(())
}

async fn carry_out(
    command: Command,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<ExitCode, ClientError> {
    match command {
        Command::Lease(arguments) => lease::run(arguments.action, api, output, now).await?,
        Command::Host(arguments) => host::run(arguments.action, api, output).await?,
        Command::Allocation(arguments) => allocation::run(arguments.action, api, output).await?,
        Command::Property(arguments) => property::run(arguments.action, api, output).await?,
        Command::FloatingIp(arguments) => floating_ip::run(arguments.action, api, output).await?,
        Command::Timeline(arguments) => timeline::run(&arguments, api, output, now).await?,
        Command::Availability(arguments) => availability::run(&arguments, api, output, now).await?,
        Command::WhatIf(arguments) => return what_if::run(&arguments, api, output, now).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// [`execute`] with the process's environment and the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the edge where a command learns the time")]
pub async fn run_from_terminal(command: Command) -> ExitCode {
    // `Utc::now` panics where a clock is before 1970.
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    execute(command, &|name| std::env::var(name).ok(), now).await
}

/// Finds the service, runs the command, prints what went wrong and what to do next on standard error.
pub async fn execute(command: Command, environment: Environment<'_>, now: DateTime<Utc>) -> ExitCode {
    let connection = command.connection().clone();
    let typed = TypedConnection::of(&connection);
    let mut standard_output = std::io::stdout();
    let mut output = Output::for_terminal(&mut standard_output, connection.json, environment);
    let result = match Endpoint::resolve(&connection, environment).await {
        Ok(endpoint) => run(command, endpoint, output, now).await,
        Err(error) => {
            let error = ClientError::from(error);
            say(&error, &typed, &mut output).and(Err(error))
        }
    };
    match result {
        Ok(code) => code,
        // The reader has seen enough, as in `berth host list | head`.
        Err(ClientError::Output(error) | ClientError::Unwritten { error, .. })
            if error.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Nobody is left to tell when standard error is closed; the exit code still does.
            let mut standard_error = std::io::stderr().lock();
            let width = output::width_of_errors(environment);
            for said in error.said() {
                for line in broken(&escaped(&format!("berth: {said}")), width) {
                    let _ = writeln!(standard_error, "{line}");
                }
            }
            for next in error.next_steps(&typed) {
                let _ = writeln!(standard_error, "  {}", escaped(&next));
            }
            ExitCode::from(error.exit_code())
        }
    }
}
