//! The whole service in one process and as the real program: lifecycle with faults and crashes,
//! concurrency on every database, structure of the workspace.

mod crash;
mod fault;
mod kill;
mod lifecycle;
mod program;
mod race;
mod structure;
mod world;
