//! `berth import-blazar`: takes over what a Blazar database promises.
//!
//! Invariant: the source is only read. Either everything is written in one commit or nothing; the book is recounted before
//! and read back after it.
//!
//! Exit codes: 0 when done, or when `--dry-run` finds that it could be; 1 when double bookings keep it from being done; 2
//! when something cannot be read or written.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use planner_core::book::{Book, Premises};
use planner_core::environment::SystemClock;
use planner_core::ports::{Clock as _, Commit, Contents, Store};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use takeover::{DoubleBooking, Merged, Note, double_bookings, give_way, merge, read, translate};

use crate::bench::report;
use crate::options::DatabaseArguments;
use crate::secret;
use crate::serve::database;

/// Take over hosts, leases and floating IPs from a Blazar database (18.0.0)
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Blazar's database, as `[database] connection` of blazar.conf names it; it is only read
    #[arg(long, env = "BERTH_BLAZAR_DATABASE", value_name = "URL", value_parser = secret::parse)]
    from: SecretString,
    #[command(flatten)]
    database: DatabaseArguments,
    /// Show what would be taken over; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Where two leases hold one host at one time, let the later one give way: it is flagged, and finds another when the service runs
    #[arg(long)]
    resolve: bool,
    /// Minutes a host stays free after a lease, as the service will be told
    #[arg(long, env = "BERTH_CLEANING_TIME", value_name = "MINUTES", default_value_t = 0,
          value_parser = clap::value_parser!(i64).range(0..=525_600))]
    cleaning_time: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    database::require(&arguments.database)?;
    let now = SystemClock.now();
    let source = read(arguments.from.expose_secret()).await.context("--from")?;
    let mut translation = translate(&source, now, arguments.cleaning_time * 60)?;
    let found = double_bookings(&translation.contents);
    if arguments.resolve {
        give_way(&mut translation.contents, &found);
    }
    let database = database::open(&arguments.database).await?;
    let before = database.store.load().await.context("the book cannot be read")?;
    let merged = merge(before, translation.contents);
    let refused = !found.is_empty() && !arguments.resolve;
    let written = !refused && !arguments.dry_run && !merged.changes.is_empty();
    if !refused {
        recount(&merged.contents)?;
    }
    if written {
        let commit = Commit {
            expected: merged.contents.epoch,
            changes: merged.changes.clone(),
            fences: Vec::new(),
        };
        database
            .store
            .commit(&commit)
            .await
            .context("nothing was taken over: the book cannot be written")?;
        let mut after = database.store.load().await.context("the book cannot be read back")?;
        recount(&after)?;
        after.epoch = merged.contents.epoch;
        if sorted(after) != sorted(merged.contents.clone()) {
            bail!("what was written is not what was read; restore the database of before and report this");
        }
    }
    database.store.close().await;
    let outcome = Outcome {
        merged: &merged,
        notes: &translation.notes,
        found: &found,
        written,
        refused,
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(&outcome.document()).context("the result cannot be written as JSON")?
    } else {
        outcome.text(arguments)
    };
    report::print(&text)?;
    Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Whether the planner can hold it: no host and no floating IP is held twice at one time.
fn recount(contents: &Contents) -> anyhow::Result<()> {
    Book::from_contents(contents.clone(), Premises::default()).context("the book would contradict itself")?;
    Ok(())
}

fn sorted(mut contents: Contents) -> Contents {
    contents.leases.sort_by(|one, other| one.id.cmp(&other.id));
    for lease in &mut contents.leases {
        lease.events.sort_by(|one, other| one.id.cmp(&other.id));
        lease.reservations.sort_by(|one, other| one.id.cmp(&other.id));
    }
    contents.hosts.sort_by(|one, other| one.id.cmp(&other.id));
    contents.floating_ips.sort_by(|one, other| one.id.cmp(&other.id));
    contents.properties.sort_by(|one, other| one.name.cmp(&other.name));
    contents.findings.sort();
    contents
}

/// What is told.
struct Outcome<'a> {
    merged: &'a Merged,
    notes: &'a [Note],
    found: &'a [DoubleBooking],
    written: bool,
    refused: bool,
}

impl Outcome<'_> {
    fn document(&self) -> Value {
        let tally = |(kind, tally): (&&str, &takeover::Tally)| {
            (
                (*kind).to_owned(),
                json!({"new": tally.new, "newer": tally.newer, "kept": tally.kept}),
            )
        };
        let booking = |found: &DoubleBooking| {
            json!({"resource": found.resource, "keeps": found.keeps, "gives_way": found.gives_way,
                   "reservation": found.reservation, "at": found.at})
        };
        json!({
            "written": self.written,
            "refused": self.refused,
            "objects": self.merged.tallies.iter().map(tally).collect::<serde_json::Map<_, _>>(),
            "double_bookings": self.found.iter().map(booking).collect::<Vec<_>>(),
            "notes": self.notes.iter().map(|note| json!({"id": note.id, "text": note.text})).collect::<Vec<_>>(),
        })
    }

    fn text(&self, arguments: &ImportArguments) -> String {
        let mut table = report::table(&["objects", "new", "newer", "kept"]);
        for (kind, tally) in &self.merged.tallies {
            table.add_row([
                (*kind).to_owned(),
                tally.new.to_string(),
                tally.newer.to_string(),
                tally.kept.to_string(),
            ]);
        }
        let mut lines = vec![table.to_string()];
        lines.extend(self.notes.iter().map(|note| format!("{}: {}", note.id, note.text)));
        lines.extend(self.found.iter().map(|found| {
            format!(
                "double booking of {}: lease {} keeps it, lease {} would have to give way",
                found.resource, found.keeps, found.gives_way
            )
        }));
        lines.push(match (self.refused, self.written, arguments.dry_run) {
            (true, ..) => "Nothing was taken over. Mend the double bookings in Blazar, or let the later leases give way with --resolve.",
            (_, true, _) => "Everything was taken over, counted, and read back.",
            (_, _, true) => "Nothing was written: --dry-run.",
            _ => "Nothing has changed since the last import.",
        }
        .to_owned());
        lines.join("\n")
    }
}
