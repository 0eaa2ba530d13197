//! The whole service in one process and as the real program: lifecycle with faults and crashes,
//! concurrency on every database, structure of the workspace.

mod crash;
mod fault;
mod lifecycle;
mod structure;
mod world;
