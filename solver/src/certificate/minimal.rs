//! Conflicts without superfluous members.
//!
//! Invariant: what is left needs more hosts than exist, and no longer does if any one member that may be
//! dropped is. The kinds must be those of a violator no part of which lacks a whole kind (see `hall`): then
//! the set of hosts stays the same as long as every kind keeps a member, and without its last one there is
//! no shortage.

use std::collections::BTreeMap;

use crate::model::ReservationId;

/// A reservation that competes for the contested hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) reservation: &'a ReservationId,
    /// Contested hosts it needs.
    pub(crate) amount: u64,
    /// Its kind in the transport problem; none if its hosts are fixed.
    pub(crate) kind: Option<usize>,
    /// It belongs to what is being explained and is dropped last.
    pub(crate) own: bool,
}

/// Drops members as long as the others still need more than `exist`: small ones first, own ones last.
pub(crate) fn minimal(mut members: Vec<Member<'_>>, exist: u64) -> Vec<Member<'_>> {
    let needed: u64 = members.iter().map(|member| member.amount).sum();
    let mut excess = needed.saturating_sub(exist);
    let mut of_kind: BTreeMap<usize, usize> = BTreeMap::new();
    for kind in members.iter().filter_map(|member| member.kind) {
        *of_kind.entry(kind).or_default() += 1;
    }
    members.sort_by_key(|member| (member.own, member.amount, member.reservation));
    members.retain(|member| {
        let last = member.kind.is_some_and(|kind| of_kind.get(&kind) == Some(&1));
        if last || member.amount >= excess {
            return true;
        }
        excess -= member.amount;
        if let Some(left) = member.kind.and_then(|kind| of_kind.get_mut(&kind)) {
            *left -= 1;
        }
        false
    });
    members.sort_by_key(|member| member.reservation);
    members
}
