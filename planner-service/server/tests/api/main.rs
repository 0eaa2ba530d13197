//! The service in process: real book, real rules, a store in memory, a clock that stands still.
#![cfg(test)]

mod authorization;
mod bodies;
mod capacity;
mod countables;
mod enforcement;
mod errors;
mod flavors;
mod floating_ips;
mod hosts;
mod identity;
mod instances;
mod leases;
mod reach;
mod refusals;
mod serving;
mod support;
mod versions;
mod wrong_values;
