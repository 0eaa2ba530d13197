//! From the relaxation to whole numbers.
//!
//! The optimum of the relaxation is whole nearly always. Where it is not, some dives round it up demand by
//! demand; if none meets the bound, branch and bound goes on, and if that takes too long, an integer program
//! over the classes a cheaper plan could use.
//!
//! Invariant: the bound comes from the relaxation's prices and is counted in whole numbers. A class is left
//! out of the integer program only if these prices prove that every plan with it costs more than the plan at
//! hand.

use super::charges::{Charges, Found};
use super::flow;
use super::relaxation::{Outcome, Relaxation};
use super::tree::Tree;
use crate::batch::formulation::float;
use crate::batch::prices::{DENOMINATOR, Prices};
use crate::batch::timeline::Split;
use crate::batch::timeline::Timeline;
use crate::deadline::Deadline;
use crate::program::{ModelSolver, Outcome as Solution, Program};
use crate::scene::{ClassNumber, DemandNumber};

/// What a value may lack of the next whole number to be rounded up with others, dive by dive.
const REACHES: [f64; 5] = [0.3, 0.0, 0.15, 0.51, 0.26];
/// Most solves of a dive.
const MOST_DIVES: usize = 200;

/// Finds the cheapest splits.
pub(crate) fn solve(
    timeline: &Timeline,
    charges: &Charges,
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Option<Found> {
    let mut relaxation = relaxed(timeline, charges)?;
    if relaxation.solve(deadline) != Outcome::Optimal {
        // Another method may get by where arithmetic failed.
        return if deadline.is_over() {
            None
        } else {
            flow::solve(timeline, charges, solver, deadline)
        };
    }
    let prices = Prices::new(timeline, relaxation.prices());
    let total = total(timeline, charges, &prices);
    // Costs are whole: rounding up is allowed.
    let bound = -(-total).div_euclid(DENOMINATOR);
    let mut best = relaxation.splits();
    for reach in REACHES {
        let cost = best.as_ref().map(|splits| charges.of(splits));
        if cost.is_some_and(|cost| cost <= bound) || deadline.is_over() {
            break;
        }
        best = dive(relaxation.clone(), reach, cost, charges, deadline).or(best);
    }
    let mut tree = Tree::new(charges, best.map(|splits| (charges.of(&splits), splits)));
    let optimal = tree.search(relaxation, deadline);
    let (cost, best) = tree.best.unzip();
    if optimal {
        return best.map(|splits| Found { splits, bound, optimal });
    }
    let useful = |demand: DemandNumber| match cost {
        Some(cost) => useful(timeline, charges, &prices, demand, cost * DENOMINATOR - total),
        None => timeline.needs[demand].eligible.clone(),
    };
    let classes: Vec<Vec<ClassNumber>> = (0..timeline.needs.len()).map(useful).collect();
    let closed = close(timeline, charges, &classes, solver, deadline);
    let optimal = closed.is_some();
    let splits = closed.or(best)?;
    Some(Found { splits, bound, optimal })
}

/// The relaxation, not solved yet; `None` if no class suits a demand.
fn relaxed(timeline: &Timeline, charges: &Charges) -> Option<Relaxation> {
    let mut relaxation = Relaxation::new(&timeline.room);
    for (demand, need) in timeline.needs.iter().enumerate() {
        let offers = need.eligible.iter();
        let offers = offers.map(|&class| (class, float(charges.one(demand, class))));
        if !relaxation.demand((need.first, need.after), need.least, offers) {
            return None;
        }
    }
    relaxation.begin();
    Some(relaxation)
}

/// No plan costs less, in units of charge times the denominator.
fn total(timeline: &Timeline, charges: &Charges, prices: &Prices) -> i128 {
    let least = |demand| {
        let charge = |class| i128::from(charges.one(demand, class)) * DENOMINATOR;
        prices.least(timeline, demand, charge).unwrap_or(0)
    };
    (0..timeline.needs.len()).map(least).sum::<i128>() - prices.rooms()
}

/// Rounds up what is nearly whole, one solve after another; splits that cost less than `limit`, if it finds any.
fn dive(
    mut relaxation: Relaxation,
    reach: f64,
    limit: Option<i128>,
    charges: &Charges,
    deadline: &Deadline,
) -> Option<Vec<Split>> {
    for _ in 0..MOST_DIVES {
        for (demand, class, count) in relaxation.nearly_whole(reach) {
            relaxation.reserve(demand, class, count);
        }
        if relaxation.solve(deadline) != Outcome::Optimal {
            return None;
        }
        if let Some(splits) = relaxation.splits() {
            return Some(splits).filter(|splits| limit.is_none_or(|limit| charges.of(splits) < limit));
        }
    }
    None
}

/// Classes of a demand that a plan may use which costs no more than the bound and the gap.
fn useful(
    timeline: &Timeline,
    charges: &Charges,
    prices: &Prices,
    demand: DemandNumber,
    gap: i128,
) -> Vec<ClassNumber> {
    let need = &timeline.needs[demand];
    let price =
        |class: ClassNumber| i128::from(charges.one(demand, class)) * DENOMINATOR + prices.of(timeline, demand, class);
    let mut offers: Vec<(i128, ClassNumber)> = need.eligible.iter().map(|&class| (price(class), class)).collect();
    offers.sort_unstable();
    // What the last host costs when all are where they are cheapest: the others replace that one.
    let mut left = i64::from(need.least);
    let mut dearest = 0;
    for &(price, class) in &offers {
        dearest = price;
        left -= i64::from(timeline.most(demand, class));
        if left <= 0 {
            break;
        }
    }
    let mut classes: Vec<ClassNumber> = offers
        .into_iter()
        .filter(|&(price, _)| price - dearest <= gap)
        .map(|(_, class)| class)
        .collect();
    classes.sort_unstable();
    classes
}

/// The cheapest splits with these classes only, `None` if none was found and proved.
fn close(
    timeline: &Timeline,
    charges: &Charges,
    classes: &[Vec<ClassNumber>],
    solver: &dyn ModelSolver,
    deadline: &Deadline,
) -> Option<Vec<Split>> {
    let mut program = Program::default();
    let mut left: Vec<Vec<i64>> = timeline
        .room
        .iter()
        .map(|room| room.iter().copied().map(i64::from).collect())
        .collect();
    let mut users: Vec<Vec<(DemandNumber, usize)>> = vec![Vec::new(); left.len()];
    let mut columns: Vec<Vec<(ClassNumber, usize)>> = Vec::with_capacity(classes.len());
    for (demand, (need, classes)) in timeline.needs.iter().zip(classes).enumerate() {
        let mut own = Vec::new();
        if let &[class] = classes.as_slice() {
            for left in &mut left[class][need.first..need.after] {
                *left -= i64::from(need.least);
            }
        } else {
            for &class in classes {
                let column = program.column(charges.one(demand, class), timeline.most(demand, class).min(need.least));
                users[class].push((demand, column));
                own.push((class, column));
            }
            let entries = own.iter().map(|&(_, column)| (column, 1)).collect();
            program.row(Some(need.least.into()), Some(need.least.into()), entries);
        }
        columns.push(own);
    }
    for (left, users) in left.iter().zip(&users) {
        limit(&mut program, timeline, left, users);
    }
    let Solution::Optimal(values) = solver.solve(&program, deadline) else {
        return None;
    };
    if !program.admits(&values) {
        return None;
    }
    let split = |(demand, columns): (usize, &Vec<(ClassNumber, usize)>)| -> Split {
        if columns.is_empty() {
            return classes[demand]
                .iter()
                .map(|&class| (class, timeline.needs[demand].least))
                .collect();
        }
        let counts = columns.iter().map(|&(class, column)| (class, values[column]));
        counts.filter(|&(_, count)| count > 0).collect()
    };
    Some(columns.iter().enumerate().map(split).collect())
}

/// Rows for the room of a class: one for every time during which the same columns count, where it is least.
fn limit(program: &mut Program, timeline: &Timeline, left: &[i64], users: &[(DemandNumber, usize)]) {
    let needs = users.iter().map(|&(demand, _)| &timeline.needs[demand]);
    let mut instants: Vec<usize> = needs.flat_map(|need| [need.first, need.after]).collect();
    instants.sort_unstable();
    instants.dedup();
    for pair in instants.windows(2) {
        let &[first, after] = pair else { continue };
        let here = users.iter().filter(|&&(demand, _)| {
            let need = &timeline.needs[demand];
            need.first <= first && after <= need.after
        });
        let entries: Vec<(usize, i64)> = here.map(|&(_, column)| (column, 1)).collect();
        let most: i64 = entries
            .iter()
            .map(|&(column, _)| i64::from(program.columns[column].most))
            .sum();
        let room = left[first..after].iter().copied().min().unwrap_or(0);
        if most > room {
            program.row(None, Some(room), entries);
        }
    }
}
