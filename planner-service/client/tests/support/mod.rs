//! Commands of the client at one moment, with what they print.

use chrono::{DateTime, Utc};
use clap::Parser;
use client::{ClientError, Command, Endpoint, Output, run};

/// Sent with every command of [`berth`].
pub(crate) const TOKEN: &str = "SECRET";

/// The program as far as the client goes.
#[derive(Debug, Parser)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// 2030-01-01T10:00:42Z
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_893_492_042, 0).unwrap()
}

/// Carries out a command against the service at `url`.
pub(crate) async fn berth(url: &str, arguments: &[&str]) -> (Result<(), ClientError>, String) {
    berth_in(url, None, arguments).await
}

/// The same in a terminal of this many columns.
pub(crate) async fn berth_in(url: &str, width: Option<u16>, arguments: &[&str]) -> (Result<(), ClientError>, String) {
    let program = Program::try_parse_from([&["berth"], arguments].concat()).unwrap();
    let endpoint = Endpoint::new(url, Some(TOKEN.to_owned())).unwrap();
    let mut printed = Vec::new();
    let json = program.command.connection().json;
    let mut output = Output::plain(&mut printed, json);
    output.width = width;
    let result = run(program.command, endpoint, output, now()).await;
    (result.map(|_| ()), String::from_utf8(printed).unwrap())
}
