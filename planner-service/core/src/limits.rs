//! What the reservations of one lease may ask for in sum, so that reading, deciding and writing them is bounded work.
//!
//! Invariant: nothing that passes a limit reaches the planner.

use std::collections::BTreeSet;

use solver::predicate::Predicate;

use crate::book::Book;
use crate::domain::ReservationSpec;
use crate::properties;

/// Most comparisons and connectives in the expressions of one lease.
pub const MOST_CONDITIONS: usize = 2_000;

/// Most reservations of one lease that ask for different expressions.
pub const MOST_EXPRESSIONS: usize = 50;

/// A request asks for more than one may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// One lease would have too much.
    #[error(
        "reservations: {asked} hosts, instances, addresses and units are asked for; the amount and max of all \
         reservations of a lease may come to {allowed} in sum (--max-amount)"
    )]
    Amount {
        /// In sum over the reservations.
        asked: u64,
        /// Most allowed.
        allowed: u32,
    },
    /// The leases of one project would have too much.
    #[error(
        "reservations: the project's leases would have {asked} hosts, instances, addresses and units; {allowed} are \
         allowed (--max-project-amount)"
    )]
    Project {
        /// What they have and what is asked for.
        asked: u64,
        /// Most allowed.
        allowed: u32,
    },
    /// The expressions say too much.
    #[error(
        "reservations: the property expressions have {asked} conditions; those of a lease may have \
         {MOST_CONDITIONS} in sum"
    )]
    Conditions {
        /// In sum over the reservations.
        asked: usize,
    },
    /// There are too many different ones.
    #[error(
        "reservations: {asked} ask for different property expressions; in one lease {MOST_EXPRESSIONS} different \
         ones are allowed"
    )]
    Expressions {
        /// How many.
        asked: usize,
    },
}

/// Refuses reservations that ask for too much together. Expressions that cannot be read are somebody else's business.
pub(crate) fn check<'a>(
    reservations: impl Iterator<Item = &'a ReservationSpec> + Clone,
    most_amount: u32,
) -> Result<(), Excess> {
    let asked: u64 = reservations.clone().map(|spec| u64::from(spec.most())).sum();
    if asked > u64::from(most_amount) {
        return Err(Excess::Amount {
            asked,
            allowed: most_amount,
        });
    }
    let predicates = reservations.filter_map(|spec| properties::requirement(&spec.expressions()).ok());
    let predicates: Vec<Predicate> = predicates.collect();
    let asked: usize = predicates.iter().map(Predicate::size).sum();
    if asked > MOST_CONDITIONS {
        return Err(Excess::Conditions { asked });
    }
    let asked = predicates.iter().collect::<BTreeSet<_>>().len();
    if asked > MOST_EXPRESSIONS {
        return Err(Excess::Expressions { asked });
    }
    Ok(())
}

/// Refuses what would give a project more than its leases may have together, where `lease` is the one that changes.
pub(crate) fn check_project<'a>(
    book: &Book,
    project_id: &str,
    lease: &str,
    reservations: impl Iterator<Item = &'a ReservationSpec>,
    allowed: u32,
) -> Result<(), Excess> {
    let others = book.leases_of_project(project_id).filter(|other| other.id != lease);
    let held = others.flat_map(|other| &other.reservations);
    let held: u64 = held.map(|reservation| u64::from(reservation.amount())).sum();
    let more: u64 = reservations.map(|spec| u64::from(spec.most())).sum();
    let asked = held.saturating_add(more);
    if asked > u64::from(allowed) {
        return Err(Excess::Project { asked, allowed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CountableReservation, HostReservation};

    fn hosts(max: u32, expression: &str) -> ReservationSpec {
        ReservationSpec::Host(HostReservation {
            min: 1,
            max,
            hypervisor_properties: expression.to_owned(),
            resource_properties: String::new(),
            before_end: String::new(),
        })
    }

    fn units(amount: u32) -> ReservationSpec {
        ReservationSpec::Countable(CountableReservation {
            resource_type: "licence".to_owned(),
            amount,
        })
    }

    fn any_of(conditions: usize, name: &str) -> String {
        let condition = format!(r#"["==", "${name}", "x"]"#);
        format!(r#"["or", {}]"#, vec![condition; conditions].join(", "))
    }

    #[test]
    fn v3_amounts_are_limited_in_sum_over_all_kinds() {
        let checked = |specs: &[ReservationSpec]| check(specs.iter(), 10_000);
        assert_eq!(checked(&[hosts(4_000, ""), units(6_000)]), Ok(()));
        let (asked, allowed) = (10_001, 10_000);
        assert_eq!(
            checked(&[hosts(4_001, ""), units(6_000)]),
            Err(Excess::Amount { asked, allowed })
        );
        let asked = 2 * u64::from(u32::MAX);
        let enormous = [units(u32::MAX), units(u32::MAX)];
        assert_eq!(checked(&enormous), Err(Excess::Amount { asked, allowed }));
    }

    #[test]
    fn v4_conditions_and_different_expressions_are_limited_in_sum() {
        let checked = |specs: Vec<ReservationSpec>| check(specs.iter(), 10_000);
        let half = MOST_CONDITIONS / 2;
        // A connective and what it joins, and the one around both fields.
        let expression = any_of(half - 2, "a");
        assert_eq!(checked(vec![hosts(1, &expression), hosts(1, &expression)]), Ok(()));
        let more = vec![hosts(1, &expression), hosts(1, &expression), hosts(1, "")];
        let asked = MOST_CONDITIONS + 1;
        assert_eq!(checked(more), Err(Excess::Conditions { asked }));
        let different = |count: usize| {
            (0..count)
                .map(|number| hosts(1, &any_of(1, &number.to_string())))
                .collect()
        };
        assert_eq!(checked(different(MOST_EXPRESSIONS)), Ok(()));
        let asked = MOST_EXPRESSIONS + 1;
        assert_eq!(checked(different(asked)), Err(Excess::Expressions { asked }));
    }
}
