//! What an import changes in a book that may have been imported into before.
//!
//! Invariant: of what both know the newer state stays, and the book's where neither is newer; nothing is taken out of the
//! book. Importing the same source twice changes nothing the second time.

use std::collections::BTreeMap;
use std::sync::Arc;

use planner_core::domain::{FloatingIp, Host, Lease, Property, Timestamp};
use planner_core::ports::{Change, Contents};

/// How many objects of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Not in the book yet.
    pub new: usize,
    /// In the book, and changed in the source since.
    pub newer: usize,
    /// In the book as they are in the source, or changed there since.
    pub kept: usize,
}

/// What is to be written, and the book afterwards.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// The changes.
    pub changes: Vec<Change>,
    /// The whole book with them.
    pub contents: Contents,
    /// By kind: hosts, properties, floating IPs, leases.
    pub tallies: BTreeMap<&'static str, Tally>,
}

/// Merges a source into a book.
pub fn merge(book: Contents, source: Contents) -> Merged {
    let mut merged = Merged::default();
    let hosts = (book.hosts, source.hosts);
    let properties = (book.properties, source.properties);
    merged.contents = Contents {
        epoch: book.epoch,
        hosts: merged.kind(
            "hosts",
            hosts,
            |host: &Host| (host.id.clone(), host.updated_at),
            |host| Change::PutHost(Arc::new(host)),
        ),
        properties: merged.kind(
            "properties",
            properties,
            |known: &Property| (known.name.clone(), known.updated_at),
            |known| Change::PutProperty(Arc::new(known)),
        ),
        floating_ips: merged.kind(
            "floating IPs",
            (book.floating_ips, source.floating_ips),
            |address: &FloatingIp| (address.id.clone(), address.updated_at),
            |address| Change::PutFloatingIp(Arc::new(address)),
        ),
        leases: merged.kind(
            "leases",
            (book.leases, source.leases),
            |lease: &Lease| (lease.id.clone(), lease.updated_at),
            |lease| Change::PutLease(Arc::new(lease)),
        ),
        findings: book.findings,
    };
    merged
}

impl Merged {
    /// Merges one kind of objects, told apart by a key.
    fn kind<T: Clone + PartialEq>(
        &mut self,
        name: &'static str,
        (book, source): (Vec<T>, Vec<T>),
        key: impl Fn(&T) -> (String, Option<Timestamp>),
        change: impl Fn(T) -> Change,
    ) -> Vec<T> {
        let mut all: BTreeMap<String, T> = book.into_iter().map(|known| (key(&known).0, known)).collect();
        let mut tally = Tally::default();
        for object in source {
            let (id, updated) = key(&object);
            let is_new = match all.get(&id) {
                None => true,
                Some(known) if *known != object && key(known).1 < updated => false,
                Some(_) => {
                    tally.kept += 1;
                    continue;
                }
            };
            if is_new {
                tally.new += 1;
            } else {
                tally.newer += 1;
            }
            self.changes.push(change(object.clone()));
            all.insert(id, object);
        }
        self.tallies.insert(name, tally);
        all.into_values().collect()
    }
}
