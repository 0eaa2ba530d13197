//! The whole service in one process and as the real program: lifecycle with faults and crashes,
//! concurrency on every database, structure of the workspace.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows these in functions marked as tests; what they call panics for them"
)]

mod addresses;
mod checklist;
mod clients;
mod connections;
mod countables;
mod crash;
mod documentation;
mod enforcement;
mod failing_lives;
mod fault;
mod healing;
mod history;
mod import;
mod instances;
mod kill;
mod lifecycle;
mod lives;
mod notifications;
mod occupation;
mod operator;
mod places;
mod preparation;
mod program;
mod question;
mod rabbit;
mod race;
mod receivers;
mod refusals;
mod requests;
mod smptsp;
mod stopping;
mod structure;
mod terminal;
mod trouble;
mod world;
