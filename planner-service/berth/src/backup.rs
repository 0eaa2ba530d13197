//! `berth backup` and `berth restore`: whole copies of a book in a SQLite file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use planner_core::environment::SystemClock;
use planner_core::ports::Clock as _;
use store::{Copied, Restored, SqlStore};

use crate::options::DatabaseArguments;
use crate::output::print;
use crate::serve::database;

/// What `backup` is told.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// Where the copy goes; a file that is there already is not written over
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What `restore` is told.
#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// Put the copy in the place of a book that is there, which is kept under another name, `berth.sqlite.before-restore` or
    /// with a number behind that
    #[arg(long)]
    replace: bool,
    /// Take FILE although changes that were acknowledged may be missing from it
    #[arg(long)]
    accept_loss: bool,
    /// The copy
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Copies the book.
pub(crate) async fn backup(arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    let source = database::file(&arguments.database)?;
    let copied = SqlStore::backup(&source, &arguments.file)
        .await
        .context("no backup was made")?;
    told("backed up to", &arguments.file, copied)
}

/// Puts a copy in the place of the book.
pub(crate) async fn restore(arguments: &RestoreArguments) -> anyhow::Result<ExitCode> {
    let target = match &arguments.database.database {
        Some(_) => database::file(&arguments.database)?,
        None => database::own_file(database::folder(&arguments.database))?,
    };
    let Restored { copied, kept } = SqlStore::restore(&arguments.file, &target, arguments.replace, arguments.accept_loss)
        .await
        .context("nothing was restored; a book that is there is replaced only with --replace, and an incomplete copy taken only with --accept-loss")?;
    // Messages are numbered by the second in which they are sent; all that were sent before are of an earlier one.
    SystemClock.sleep_until(SystemClock.now() + 1).await;
    let printed = told("restored to", &target, copied)?;
    if let Some(kept) = kept {
        print(format!("the book that was there is kept as {}\n", kept.display()).as_bytes())?;
    }
    Ok(printed)
}

fn told(done: &str, path: &std::path::Path, copied: Copied) -> anyhow::Result<ExitCode> {
    let Copied { epoch, leases } = copied;
    print(format!("{done} {}: epoch {epoch}, leases: {leases}\n", path.display()).as_bytes())
}
