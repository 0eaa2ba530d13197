//! States beside that of a batch: one request alone on the fleet, or several as one.

use std::collections::BTreeSet;

use solver_format::model::{LeaseId, Request};
use solver_format::{DecisionEntry, Problem};

use super::Findings;
use super::accepted::{clashes, given, grant};
use super::book::Book;
use super::refused::grantable;
use super::search::Found;

/// Most pairs of something to place and a place to look at, for one subset.
pub(super) const LARGEST: usize = 20_000;

/// The fleet with no other lease than the one a request replaces.
pub(super) struct Alone {
    book: Book,
}

impl Alone {
    pub(super) fn new(before: &Book, problem: &Problem) -> Self {
        let mut book = Book::new(problem);
        for lease in before.leases.keys() {
            book.put(lease.clone(), Vec::new());
        }
        Self { book }
    }

    /// Does something with only the lease in the book that the request replaces.
    fn with<T>(&mut self, before: &Book, request: &Request, mut act: impl FnMut(&mut Book) -> T) -> T {
        let lease = request.replaces.as_ref().unwrap_or(&request.id);
        self.book.put(lease.clone(), before.replaced(request).to_vec());
        let result = act(&mut self.book);
        self.book.put(lease.clone(), Vec::new());
        result
    }

    /// Checks an acceptance that a later one replaces.
    pub(super) fn accepted(
        &mut self,
        before: &Book,
        request: &Request,
        decision: &DecisionEntry,
        findings: &mut Findings,
    ) {
        self.with(before, request, |book| {
            let Some(given) = given(book, request, decision, findings) else {
                return;
            };
            let mut touched = BTreeSet::new();
            grant(book, request, given, &mut touched);
            clashes(book, &touched, findings);
        });
    }

    pub(super) fn is_possible(&mut self, before: &Book, request: &Request) -> Found {
        self.with(before, request, |book| grantable(book, request, &|_| false, LARGEST))
    }
}

/// Requests for different leases as one request, for the one lease that all leases they replace are made; and the
/// state with that lease, if they are several.
pub(super) fn merged<'a>(
    before: &Book,
    problem: &Problem,
    requests: impl Iterator<Item = &'a Request>,
) -> (Option<Book>, Request) {
    let mut together = Request {
        id: LeaseId::from("together"),
        replaces: None,
        reservations: Vec::new(),
    };
    let mut replaced: Vec<&LeaseId> = Vec::new();
    for request in requests {
        together.reservations.extend(request.reservations.iter().cloned());
        replaced.extend(&request.replaces);
    }
    together.replaces = replaced.first().map(|&lease| lease.clone());
    if replaced.len() < 2 {
        return (None, together);
    }
    let mut merged = Book::new(problem);
    let mut parts = Vec::new();
    for lease in &replaced {
        parts.extend(before.leases.get(*lease).into_iter().flatten().cloned());
        merged.put((*lease).clone(), Vec::new());
    }
    merged.put(replaced[0].clone(), parts);
    (Some(merged), together)
}
