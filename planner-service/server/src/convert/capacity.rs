//! Questions about capacity: wire to domain and back.

use api_types::capacity as wire;
use api_types::date::{EARLIEST, LATEST, ZonedTime};
use planner_core::question::{
    AvailabilityAnswer, ConflictReport, Earliest, HostsAnswer, LeaseAnswer, LostReservation, Most, MovedReservation,
    Moves, Necessity, Offer, Outcome, Slot, WhatIfAnswer,
};

/// A time as far as it can be written.
pub(crate) fn zoned(seconds: i64) -> ZonedTime {
    ZonedTime(seconds.clamp(EARLIEST, LATEST))
}

/// Availability as clients see it; `start` and `end` are what was asked for.
pub(crate) fn availability(answer: &AvailabilityAnswer, start: i64, end: i64) -> wire::Availability {
    let ends = answer.steps.iter().skip(1).map(|step| step.from).chain([answer.until]);
    let steps = answer.steps.iter().zip(ends).map(|(step, end)| wire::AvailabilityStep {
        start: zoned(step.from),
        end: zoned(end),
        in_service: step.in_service,
        free: step.free,
        free_with_moves: step.free_with_moves,
    });
    wire::Availability {
        epoch: answer.epoch,
        at: zoned(answer.at),
        start: zoned(start),
        end: zoned(end),
        hosts_matching: answer.matching,
        hint: answer.hint.clone(),
        steps: steps.collect(),
        next_marker: (answer.until < end).then(|| zoned(answer.until)),
    }
}

/// The answer to a what-if as clients see it.
pub(crate) fn what_if(answer: &WhatIfAnswer) -> wire::WhatIf {
    wire::WhatIf {
        epoch: answer.epoch,
        at: zoned(answer.at),
        hosts: answer.hosts.as_ref().map(hosts),
        lease: answer.lease.as_ref().map(lease),
    }
}

fn lease(answer: &LeaseAnswer) -> wire::LeaseOutcome {
    let verdict = match answer.outcome {
        Outcome::Accepted => "accepted",
        Outcome::Refused => "refused",
        Outcome::Undecided => "undecided",
    };
    wire::LeaseOutcome {
        verdict: verdict.to_owned(),
        conflict: answer.conflict.as_ref().map(conflict),
        offers: answer.offers.iter().map(offer).collect(),
        moves: moves(&answer.moves),
        earliest_start: earliest(answer.earliest, answer.latest_start),
        most_hosts: (0..)
            .zip(&answer.most)
            .map(|(reservation, (without_moves, with_moves))| wire::MostHosts {
                reservation,
                without_moves: amount(*without_moves),
                with_moves: amount(*with_moves),
            })
            .collect(),
    }
}

fn earliest(earliest: Earliest, latest: i64) -> wire::EarliestStart {
    let slot = |slot: Slot| wire::Slot {
        start: slot.start.map(zoned),
        proved: slot.proved,
    };
    wire::EarliestStart {
        without_moves: slot(earliest.without_moves),
        with_moves: slot(earliest.with_moves),
        latest: zoned(latest),
    }
}

const fn amount(most: Most) -> wire::Amount {
    wire::Amount {
        hosts: most.hosts,
        at_most: most.at_most,
    }
}

/// A conflict as clients see it.
pub(crate) fn conflict(report: &ConflictReport) -> wire::Conflict {
    wire::Conflict {
        reason: report.reason.to_owned(),
        start: zoned(report.from),
        end: zoned(report.until),
        hosts_needed: report.hosts.map(|hosts| hosts.needed),
        hosts_exist: report.hosts.map(|hosts| hosts.exist),
        text: report.text.clone(),
        leases: report.leases.clone(),
        other_reservations: report.other_reservations,
        hosts: report.host_ids.clone(),
    }
}

/// An offer as clients see it.
pub(crate) fn offer(offer: &Offer) -> wire::Offer {
    let place = |reservation: usize| u32::try_from(reservation).unwrap_or(u32::MAX);
    match offer {
        &Offer::Start {
            start,
            end,
            without_moves,
        } => wire::Offer::Start {
            start: zoned(start),
            end: zoned(end),
            without_moves,
        },
        &Offer::End { end, without_moves } => wire::Offer::End {
            end: zoned(end),
            without_moves,
        },
        &Offer::Amount {
            reservation,
            amount,
            without_moves,
        } => wire::Offer::Amount {
            reservation: place(reservation),
            amount,
            without_moves,
        },
        Offer::Replace {
            reservation,
            condition,
            replacement,
            without_moves,
        } => wire::Offer::Replace {
            reservation: place(*reservation),
            condition: condition.clone(),
            replacement: replacement.clone(),
            without_moves: *without_moves,
        },
        Offer::Drop {
            reservation,
            condition,
            without_moves,
        } => wire::Offer::Drop {
            reservation: place(*reservation),
            condition: condition.clone(),
            without_moves: *without_moves,
        },
    }
}

fn moves(moves: &Moves) -> wire::Moves {
    wire::Moves {
        reservations: moves.reservations,
        hosts: moves.hosts,
        must: moves.must,
        leases: moves.visible.iter().map(moved).collect(),
    }
}

fn moved(moved: &MovedReservation) -> wire::MovedReservation {
    let necessity = match moved.necessity {
        Necessity::Must => "must",
        Necessity::May => "may",
        Necessity::Open => "unknown",
    };
    wire::MovedReservation {
        lease_id: moved.lease_id.clone(),
        reservation_id: moved.reservation_id.clone(),
        from: moved.from.clone(),
        to: moved.to.clone(),
        hosts_of_another_class: moved.counted,
        necessity: necessity.to_owned(),
    }
}

fn hosts(answer: &HostsAnswer) -> wire::HostsOutcome {
    wire::HostsOutcome {
        displaced: answer.displaced,
        moves: moves(&answer.moves),
        lost: answer.lost,
        lost_leases: answer.visible_lost.iter().map(lost).collect(),
        proved: answer.proved,
    }
}

fn lost(lost: &LostReservation) -> wire::LostReservation {
    wire::LostReservation {
        lease_id: lost.lease_id.clone(),
        reservation_id: lost.reservation_id.clone(),
        hosts_missing: lost.missing,
        conflict: conflict(&lost.conflict),
    }
}
