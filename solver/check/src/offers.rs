//! Refusals with what is offered instead: each offer changes what it says, and the changed request could be granted.
//!
//! That is searched for exactly: first beside everything as it stands, then with everything placed anew
//! that may move. Where the second search is too large to end, only what is necessary is looked at: enough
//! suitable hosts or units without work that cannot move.

use solver_format::model::{Request, ReservationId, Resource};
use solver_format::predicate::Predicate;
use solver_format::{DecisionEntry, OfferEntry};

use super::Findings;
use super::book::Book;
use super::load::room;
use super::refused::{self, searched};
use super::scene::Scene;
use super::search::Found;

/// Checks a refusal and what is offered instead.
pub(super) fn check(book: &Book, request: &Request, decision: &DecisionEntry, findings: &mut Findings) {
    let Some(conflict) = &decision.conflict else { return };
    refused::reason(book, request, conflict, findings);
    for (number, offer) in decision.offers.iter().enumerate() {
        offered(book, request, offer, &format!("offers[{number}]"), findings);
    }
}

fn offered(book: &Book, request: &Request, offer: &OfferEntry, member: &str, findings: &mut Findings) {
    let changed = match changed(book, request, offer) {
        Ok(changed) => changed,
        Err(reason) => return findings.add(member, reason),
    };
    match searched(book, &changed) {
        Found::Yes => {}
        Found::No => findings.add(member, "could not be granted either"),
        Found::Unknown => necessary(book, &changed, member, findings),
    }
}

/// The request with the change, or what is wrong with the offer.
fn changed(book: &Book, request: &Request, offer: &OfferEntry) -> Result<Request, &'static str> {
    let mut changed = request.clone();
    let position = |id: &Option<ReservationId>| match id {
        None if request.reservations.len() == 1 => Some(0),
        None => None,
        Some(id) => request.reservations.iter().position(|asked| asked.id == *id),
    };
    match offer {
        OfferEntry::Start { start } => {
            let starts = request.reservations.iter().map(|asked| asked.window.start);
            let first = starts.min().unwrap_or(*start);
            if *start < book.now || *start == first {
                return Err("is no other start");
            }
            for asked in &mut changed.reservations {
                asked.window.start = asked.window.start.saturating_add(start.saturating_sub(first));
                asked.window.end = asked.window.end.saturating_add(start.saturating_sub(first));
            }
        }
        OfferEntry::Amount { reservation, amount } => {
            let position = position(reservation).filter(|&position| {
                let asked = &request.reservations[position];
                (1..asked.min).contains(amount)
            });
            let Some(position) = position else {
                return Err("is no smaller amount of one reservation");
            };
            let asked = &mut changed.reservations[position];
            asked.min = *amount;
            if asked.resource != Resource::Host {
                asked.max = *amount;
            }
        }
        OfferEntry::Drop { reservation, condition } => {
            let rest = position(reservation)
                .and_then(|position| Some((position, without(&request.reservations[position].predicate, condition)?)));
            let Some((position, rest)) = rest else {
                return Err("is no condition of the request");
            };
            changed.reservations[position].predicate = rest.into();
        }
    }
    Ok(changed)
}

/// What no grant can do without.
fn necessary(book: &Book, request: &Request, member: &str, findings: &mut Findings) {
    let Some(scene) = Scene::of_request(book, request, &|_| false, usize::MAX) else {
        return;
    };
    // Only what cannot move counts.
    let stays = |id: &ReservationId| book.find(id).is_none_or(|held| book.is_fixed(held));
    for demand in &scene.demands {
        let fits = |&place: &usize| {
            let spot = &scene.spots[place];
            let loads: Vec<_> = spot
                .loads
                .iter()
                .filter(|load| stays(load.reservation))
                .copied()
                .collect();
            let most = if super::scene::is_single(demand.resource) {
                1
            } else {
                demand.need
            };
            u64::from(room(spot.capacity, &loads, demand.occupation, demand.resource, most))
        };
        let total: u64 = demand.options.iter().map(fits).sum();
        findings.require(total >= u64::from(demand.need), member, || {
            format!("too few hosts can be had for `{}`", demand.reservation)
        });
    }
}

/// The predicate without one of the conditions that must all hold.
fn without(predicate: &Predicate, condition: &serde_json::Value) -> Option<Predicate> {
    match predicate {
        Predicate::All(parts) => {
            let position = parts.iter().position(|part| part.to_json() == *condition)?;
            let mut rest = parts.clone();
            rest.remove(position);
            Some(Predicate::All(rest))
        }
        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Lacks(_) => {
            (predicate.to_json() == *condition).then(|| Predicate::All(Vec::new()))
        }
    }
}
