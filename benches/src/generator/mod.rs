//! Problems drawn at random by the published protocol: a fleet of unequal classes and a stream of requests.
//!
//! Invariant: the document is valid, its requests are in order of arrival, all times are whole minutes, and the same
//! parameters give the same document. The fleet, its disruptions and the stream draw from generators of their own, so that a
//! longer stream or another load leaves the fleet as it is.

mod demand;
mod fleet;
mod parameters;

use solver_format::{PROBLEM_FORMAT, PoolEntry, Problem};

use crate::random::Random;
use demand::Demand;
pub use parameters::{MOST_CLASSES, ParameterError, Parameters};

/// Draws a problem. `progress` hears of host-minutes drawn and host-minutes wanted.
pub fn generate(parameters: &Parameters, progress: impl FnMut(u64, u64)) -> Result<Problem, ParameterError> {
    parameters.validate()?;
    let mut of_fleet = Random::part(parameters.seed, 1);
    let classes = fleet::classes(parameters, &mut of_fleet);
    let mut hosts = fleet::hosts(parameters, &classes, &mut of_fleet);
    fleet::disrupt(parameters, &mut hosts, &mut Random::part(parameters.seed, 2));
    let pool = |number: u32| PoolEntry {
        id: pool_name(number as usize),
        units: (0..parameters.units)
            .map(|unit| unit_name(number as usize, unit as usize))
            .collect(),
    };
    Ok(Problem {
        format: PROBLEM_FORMAT.to_owned(),
        now: parameters.now,
        cleaning: parameters.cleaning,
        freeze: parameters.freeze,
        hosts,
        pools: (0..parameters.pools).map(pool).collect(),
        leases: Vec::new(),
        requests: Demand::new(parameters, &classes, Random::part(parameters.seed, 3)).stream(progress),
    })
}

fn pool_name(number: usize) -> String {
    format!("pool{number}")
}

fn unit_name(pool: usize, unit: usize) -> String {
    format!("pool{pool}.{unit:05}")
}
