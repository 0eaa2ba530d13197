//! Writes one commit.
//!
//! Invariants: all deletions come before all insertions, so that leases may exchange hosts; the number
//! of statements depends on the number of tables touched and only slightly on the number of rows; the
//! texts of statements are few, so that each is prepared once per connection.

use std::collections::BTreeMap;

use planner_core::domain::{FloatingIp, Host, Lease, Property};
use planner_core::ports::{Change, Commit, Epoch, Fence, StoreError};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use crate::convert::{
    HostRows, LeaseRows, capability_rows, finding_row, floating_ip_row, host_row, inventory_rows, outbox_row, position,
    property_row, trait_rows,
};
use crate::entity::{
    allocation, book, change, claim, event, finding, flavor_reservation, floating_ip, host, host_capability,
    host_reservation, instance_reservation, lease, outbox, property, reservation,
};
use crate::failure::Failure;
use crate::limits;
use crate::read::Kind;

/// Rows in one statement, at most: well below each engine's limit of parameters.
const ROWS: usize = 100;

/// Bytes of text in one statement, at most, unless one row alone has more: MariaDB takes 16 MiB by default.
const BYTES: usize = 8 * 1024 * 1024;

/// What a commit leaves of each object, ready to be written as often as needed.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    objects: Vec<(Kind, String)>,
    touched_leases: Vec<String>,
    deleted_leases: Vec<String>,
    touched_hosts: Vec<String>,
    touched_floating_ips: Vec<String>,
    touched_properties: Vec<String>,
    touched_findings: Vec<String>,
    leases: LeaseRows,
    hosts: HostRows,
    floating_ips: Vec<floating_ip::Model>,
    properties: Vec<property::Model>,
    findings: Vec<finding::Model>,
    outbox: Vec<outbox::Model>,
}

impl Rows {
    /// Of several changes of one object in a commit the last one counts. A lease takes its findings with it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a value that no engine may hold.
    pub(crate) fn of(commit: &Commit) -> Result<Self, StoreError> {
        let mut leases: BTreeMap<&str, Option<&Lease>> = BTreeMap::new();
        let mut hosts: BTreeMap<&str, Option<&Host>> = BTreeMap::new();
        let mut floating_ips: BTreeMap<&str, Option<&FloatingIp>> = BTreeMap::new();
        let mut properties: BTreeMap<&str, &Property> = BTreeMap::new();
        let mut findings: BTreeMap<&str, Option<&Change>> = BTreeMap::new();
        let mut outbox = Vec::new();
        for change in &commit.changes {
            match change {
                Change::PutLease(lease) => {
                    limits::lease(lease)?;
                    leases.insert(&lease.id, Some(lease));
                }
                Change::DeleteLease(id) => {
                    leases.insert(id, None);
                    findings.insert(id, None);
                }
                Change::PutHost(host) => {
                    limits::host(host)?;
                    hosts.insert(&host.id, Some(host));
                }
                Change::DeleteHost(id) => {
                    hosts.insert(id, None);
                }
                Change::PutFloatingIp(address) => {
                    limits::floating_ip(address)?;
                    floating_ips.insert(&address.id, Some(address));
                }
                Change::DeleteFloatingIp(id) => {
                    floating_ips.insert(id, None);
                }
                Change::PutProperty(property) => {
                    limits::property(property)?;
                    properties.insert(&property.id, property);
                }
                Change::PutFindings {
                    lease_id,
                    findings: found,
                } => {
                    findings.insert(lease_id, (!found.is_empty()).then_some(change));
                }
                Change::Notify(notification) => {
                    limits::notification(notification)?;
                    outbox.push(outbox_row(commit.expected + 1, outbox.len(), notification));
                }
            }
        }

        let mut rows = Self {
            outbox,
            ..Self::default()
        };
        for (id, lease) in leases {
            rows.touch(Kind::Lease, "a lease's id", id)?;
            match lease {
                Some(lease) => rows.leases.add(lease)?,
                None => rows.deleted_leases.push(id.to_owned()),
            }
        }
        for (id, host) in hosts {
            rows.touch(Kind::Host, "a host's id", id)?;
            if let Some(host) = host {
                rows.hosts.hosts.push(host_row(host));
                rows.hosts.capabilities.extend(capability_rows(host));
                rows.hosts.inventories.extend(inventory_rows(host));
                rows.hosts.traits.extend(trait_rows(host));
            }
        }
        for (id, address) in floating_ips {
            rows.touch(Kind::FloatingIp, "a floating IP's id", id)?;
            rows.floating_ips.extend(address.map(floating_ip_row));
        }
        for (id, property) in properties {
            rows.touch(Kind::Property, "a property's id", id)?;
            rows.properties.push(property_row(property));
        }
        for (id, change) in findings {
            rows.touch(Kind::Findings, "a lease's id", id)?;
            if let Some(row) = change.map(finding_row).transpose()?.flatten() {
                limits::long_text("a lease's findings", &row.content)?;
                rows.findings.push(row);
            }
        }
        Ok(rows)
    }

    fn touch(&mut self, kind: Kind, field: &str, id: &str) -> Result<(), StoreError> {
        limits::id(field, id)?;
        self.objects.push((kind, id.to_owned()));
        match kind {
            Kind::Lease => self.touched_leases.push(id.to_owned()),
            Kind::Host => self.touched_hosts.push(id.to_owned()),
            Kind::FloatingIp => self.touched_floating_ips.push(id.to_owned()),
            Kind::Property => self.touched_properties.push(id.to_owned()),
            Kind::Findings => self.touched_findings.push(id.to_owned()),
        }
        Ok(())
    }

    /// How many rows there are, about.
    pub(crate) fn count(&self) -> usize {
        self.objects.len() + self.leases.allocations.len() + self.leases.instance_places.len()
    }

    /// The allocations to insert.
    pub(crate) fn allocations(&self) -> &[allocation::Model] {
        &self.leases.allocations
    }

    /// The leases that are inserted, replaced or deleted.
    pub(crate) fn touched_leases(&self) -> &[String] {
        &self.touched_leases
    }
}

/// Does the whole work of a commit inside the transaction it is given; returns the new epoch.
pub(crate) async fn write(
    connection: &impl ConnectionTrait,
    commit: &Commit,
    rows: &Rows,
    feed_epochs: i64,
) -> Result<Epoch, Failure> {
    let epoch = commit.expected + 1;
    // First of all, because it makes every other commit wait for this one.
    let advanced = book::Entity::update_many()
        .col_expr(book::Column::Epoch, Expr::value(epoch))
        .filter(book::Column::Epoch.eq(commit.expected))
        .exec(connection)
        .await?;
    if advanced.rows_affected != 1 {
        return Err(StoreError::Stale {
            expected: commit.expected,
        }
        .into());
    }
    check_fences(connection, &commit.fences).await?;
    delete(connection, rows).await?;
    insert(connection, rows).await?;
    let feed = rows
        .objects
        .iter()
        .enumerate()
        .map(|(index, (kind, object_id))| change::Model {
            epoch,
            position: position(index),
            kind: kind.as_str().to_owned(),
            object_id: object_id.clone(),
        });
    insert_all(connection, &feed.collect::<Vec<_>>(), |_| 0).await?;
    forget_old_changes(connection, epoch, feed_epochs).await
}

/// Writes the book's row as it is.
pub(crate) async fn touch(connection: &impl ConnectionTrait) -> Result<(), Failure> {
    book::Entity::update_many()
        .col_expr(book::Column::Epoch, Expr::col(book::Column::Epoch))
        .exec(connection)
        .await?;
    Ok(())
}

async fn check_fences(connection: &impl ConnectionTrait, fences: &[Fence]) -> Result<(), Failure> {
    if fences.is_empty() {
        return Ok(());
    }
    let held: BTreeMap<String, i64> = claim::Entity::find()
        .filter(claim::Column::LeaseId.is_in(fences.iter().map(|fence| fence.lease_id.as_str())))
        // Nobody takes the lease over between this look and the end of the transaction.
        .lock_exclusive()
        .all(connection)
        .await?
        .into_iter()
        .map(|row| (row.lease_id, row.fence))
        .collect();
    match fences
        .iter()
        .find(|fence| held.get(&fence.lease_id) != Some(&fence.number))
    {
        Some(lost) => Err(StoreError::FenceLost {
            lease_id: lost.lease_id.clone(),
        }
        .into()),
        None => Ok(()),
    }
}

/// Removes every touched object; what belongs to it goes by foreign key.
async fn delete(connection: &impl ConnectionTrait, rows: &Rows) -> Result<(), Failure> {
    delete_all::<claim::Entity>(connection, claim::Column::LeaseId, &rows.deleted_leases).await?;
    delete_all::<lease::Entity>(connection, lease::Column::Id, &rows.touched_leases).await?;
    delete_all::<host::Entity>(connection, host::Column::Id, &rows.touched_hosts).await?;
    delete_all::<floating_ip::Entity>(connection, floating_ip::Column::Id, &rows.touched_floating_ips).await?;
    delete_all::<property::Entity>(connection, property::Column::Id, &rows.touched_properties).await?;
    delete_all::<finding::Entity>(connection, finding::Column::LeaseId, &rows.touched_findings).await
}

async fn delete_all<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    column: E::Column,
    ids: &[String],
) -> Result<(), Failure> {
    for ids in chunks(ids, |_| 0) {
        E::delete_many().filter(column.is_in(ids)).exec(connection).await?;
    }
    Ok(())
}

async fn insert(connection: &impl ConnectionTrait, rows: &Rows) -> Result<(), Failure> {
    let hosts = &rows.hosts;
    insert_all(connection, &hosts.hosts, |row: &host::Model| {
        row.cpu_info.len() + row.hypervisor_type.len()
    })
    .await?;
    insert_all(connection, &hosts.capabilities, |row: &host_capability::Model| {
        row.value.len()
    })
    .await?;
    insert_all(connection, &hosts.inventories, |_| 0).await?;
    insert_all(connection, &hosts.traits, |_| 0).await?;
    insert_all(connection, &rows.floating_ips, |_| 0).await?;
    insert_all(connection, &rows.properties, |_| 0).await?;
    let leases = &rows.leases;
    insert_all(connection, &leases.leases, |_| 0).await?;
    insert_all(connection, &leases.reservations, |row: &reservation::Model| {
        row.handover.as_ref().map_or(0, String::len)
    })
    .await?;
    insert_all(
        connection,
        &leases.host_reservations,
        |row: &host_reservation::Model| row.hypervisor_properties.len() + row.resource_properties.len(),
    )
    .await?;
    insert_all(connection, &leases.allocations, |_| 0).await?;
    insert_all(
        connection,
        &leases.instance_reservations,
        |row: &instance_reservation::Model| row.resource_properties.len(),
    )
    .await?;
    insert_all(
        connection,
        &leases.flavor_reservations,
        |row: &flavor_reservation::Model| row.flavor.len(),
    )
    .await?;
    insert_all(connection, &leases.instance_places, |_| 0).await?;
    insert_all(connection, &leases.floating_ip_reservations, |_| 0).await?;
    insert_all(connection, &leases.required_floating_ips, |_| 0).await?;
    insert_all(connection, &leases.countable_reservations, |_| 0).await?;
    insert_all(connection, &leases.events, |row: &event::Model| {
        row.waiting.as_ref().map_or(0, String::len)
    })
    .await?;
    insert_all(connection, &rows.findings, |row: &finding::Model| row.content.len()).await?;
    insert_all(connection, &rows.outbox, |row: &outbox::Model| row.payload.len()).await
}

async fn insert_all<M, A>(
    connection: &impl ConnectionTrait,
    rows: &[M],
    long_text: impl Fn(&M) -> usize,
) -> Result<(), Failure>
where
    M: Clone + IntoActiveModel<A>,
    A: ActiveModelTrait,
{
    for rows in chunks(rows, long_text) {
        let models = rows.iter().map(|row| row.clone().into_active_model());
        A::Entity::insert_many(models)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

/// Cuts rows into statements of few different sizes: 100, 10, or fewer than 10 rows.
fn chunks<T>(rows: &[T], long_text: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut rest = rows;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take(ROWS).take_while(|row| {
            bytes += long_text(row);
            bytes <= BYTES
        });
        let length = match fitting.count() {
            0 => 1,
            few @ 1..10 => few,
            10..ROWS => 10,
            _ => ROWS,
        };
        let (part, others) = rest.split_at(length);
        parts.push(part);
        rest = others;
    }
    parts
}

/// Cuts the feed now and then, and says so in the book in the same transaction.
async fn forget_old_changes(connection: &impl ConnectionTrait, epoch: Epoch, keep: i64) -> Result<Epoch, Failure> {
    let interval = (keep / 1000).clamp(1, 100);
    let complete_after = epoch - keep;
    if complete_after <= 0 || epoch % interval != 0 {
        return Ok(epoch);
    }
    change::Entity::delete_many()
        .filter(change::Column::Epoch.lte(complete_after))
        .exec(connection)
        .await?;
    book::Entity::update_many()
        .col_expr(book::Column::FeedCompleteAfter, Expr::value(complete_after))
        .exec(connection)
        .await?;
    Ok(epoch)
}

#[cfg(test)]
mod tests {
    use super::{BYTES, chunks};

    #[test]
    fn statements_hold_all_rows_in_order_and_not_too_much_text() {
        let sizes = |rows: &[usize]| {
            chunks(rows, |bytes| *bytes)
                .iter()
                .map(|part| part.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[0; 237]), [100, 100, 10, 10, 10, 7]);
        assert_eq!(sizes(&[BYTES + 1, 1, BYTES, BYTES / 2, BYTES / 2]), [1, 1, 1, 2]);
        let rows: Vec<usize> = (0..1234).collect();
        assert_eq!(chunks(&rows, |_| 0).concat(), rows);
    }
}
