//! The book, admission and the lifecycle of leases.
