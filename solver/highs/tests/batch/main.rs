//! The batch against every subset, on small cases; plans of larger ones counted once more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "all of it is a test"
)]

mod figures;
mod kinds;
mod replan;
mod stream;
mod subsets;
