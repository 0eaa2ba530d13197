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

/// What members need together: amounts of thousands of them may be more than 64 bits hold.
pub(crate) fn needed<'m, 'a: 'm>(members: impl IntoIterator<Item = &'m Member<'a>>) -> u128 {
    members.into_iter().map(|member| u128::from(member.amount)).sum()
}

/// What all but the request need, in hosts.
pub(crate) fn needed_by_others(members: &[Member<'_>]) -> u64 {
    let others = members.iter().filter(|member| !member.own);
    u64::try_from(needed(others)).unwrap_or(u64::MAX)
}

/// Drops members as long as the others still need more than `exist`: small ones first, own ones last.
pub(crate) fn minimal(members: Vec<Member<'_>>, exist: u64) -> Vec<Member<'_>> {
    let mut excess = needed(&members).saturating_sub(exist.into());
    let mut of_kind: BTreeMap<usize, usize> = BTreeMap::new();
    for kind in members.iter().filter_map(|member| member.kind) {
        *of_kind.entry(kind).or_default() += 1;
    }
    // Without one of the others there is no shortage, so their order does not matter.
    let (mut small, mut kept): (Vec<Member<'_>>, Vec<Member<'_>>) = members
        .into_iter()
        .partition(|member| u128::from(member.amount) < excess);
    small.sort_by_key(|member| (member.own, member.amount, member.reservation));
    kept.extend(small.into_iter().filter(|member| {
        let last = member.kind.is_some_and(|kind| of_kind.get(&kind) == Some(&1));
        let amount = u128::from(member.amount);
        if last || amount >= excess {
            return true;
        }
        excess -= amount;
        if let Some(left) = member.kind.and_then(|kind| of_kind.get_mut(&kind)) {
            *left -= 1;
        }
        false
    }));
    sorted(kept)
}

/// By identifier. Thousands of them begin alike, so what follows that is compared as one number first.
fn sorted(members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let Some(first) = members.first() else { return members };
    let first = first.reservation.as_bytes();
    let mut alike = first.len();
    for member in &members {
        let other = member.reservation.as_bytes();
        let same = first[..alike].iter().zip(other).take_while(|(one, other)| one == other);
        alike = same.count();
    }
    let key = |member: &Member<'_>| {
        let mut bytes = [0; 8];
        for (byte, own) in bytes.iter_mut().zip(&member.reservation.as_bytes()[alike..]) {
            *byte = *own;
        }
        u64::from_be_bytes(bytes)
    };
    let mut keyed: Vec<(u64, Member<'_>)> = members.into_iter().map(|member| (key(&member), member)).collect();
    keyed.sort_by(|one, other| {
        let full = || one.1.reservation.cmp(other.1.reservation);
        one.0.cmp(&other.0).then_with(full).then(one.1.own.cmp(&other.1.own))
    });
    keyed.into_iter().map(|(_, member)| member).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Member, minimal};
    use crate::model::ReservationId;

    proptest! {
        /// What is left is short and no longer would be without any one that is not the last of its kind; by identifier.
        #[test]
        fn nothing_can_be_missed(
            drawn in prop::collection::btree_map("(r-)?[a-c]{0,12}", (0..5_u64, prop::option::of(0..3_usize), any::<bool>()), 1..40),
            share in 0.0..1.0_f64,
        ) {
            let identifiers: Vec<ReservationId> = drawn.keys().map(|id| ReservationId::from(id.as_str())).collect();
            let members: Vec<Member<'_>> = identifiers
                .iter()
                .zip(drawn.values())
                .map(|(reservation, &(amount, kind, own))| Member { reservation, amount, kind, own })
                .rev()
                .collect();
            let needed: u64 = members.iter().map(|member| member.amount).sum();
            prop_assume!(needed > 0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "tiny")]
            let exist = ((needed - 1) as f64 * share) as u64;
            let left = minimal(members, exist);
            prop_assert!(left.is_sorted_by_key(|member| member.reservation));
            let needed: u64 = left.iter().map(|member| member.amount).sum();
            prop_assert!(needed > exist);
            for member in &left {
                let others = left.iter().filter(|other| other.kind == member.kind).count();
                prop_assert!(needed - member.amount <= exist || member.kind.is_some() && others == 1);
            }
        }
    }
}
