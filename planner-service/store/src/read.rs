//! Reads the book, all of it or what has changed.
//!
//! Invariant: each function reads inside the transaction it is given, which shows one epoch. The number
//! of queries does not depend on the number of objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use planner_core::ports::{Change, Contents, Epoch, StoreError};
use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use crate::convert::{
    HostRows, LeaseRows, findings_from_row, floating_ip_from_row, hosts_from_rows, leases_from_rows, property_from_row,
};
use crate::entity::{
    allocation, book, change, countable_reservation, event, finding, flavor_reservation, floating_ip,
    floating_ip_reservation, host, host_capability, host_inventory, host_reservation, host_trait, instance_place,
    instance_reservation, lease, property, required_floating_ip, reservation,
};
use crate::failure::Failure;

/// What a row of the change feed is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A lease and everything in it.
    Lease,
    /// A host and its capabilities.
    Host,
    /// A floating IP.
    FloatingIp,
    /// A property.
    Property,
    /// The findings about a lease.
    Findings,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Lease,
        Self::Host,
        Self::FloatingIp,
        Self::Property,
        Self::Findings,
    ];

    /// Text in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Host => "host",
            Self::FloatingIp => "floating_ip",
            Self::Property => "property",
            Self::Findings => "findings",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt {
                what: format!("a change of a `{text}`"),
            })
    }
}

/// Which objects to read.
#[derive(Debug, Clone, Copy)]
enum Scope {
    Everything,
    ChangedAfter(Epoch),
}

impl Scope {
    /// The ids of the changed objects of a kind, as a subquery; nothing for everything.
    fn changed(self, kind: Kind) -> Option<SelectStatement> {
        let Self::ChangedAfter(since) = self else { return None };
        Some(
            change::Entity::find()
                .select_only()
                .column(change::Column::ObjectId)
                .filter(change::Column::Epoch.gt(since))
                .filter(change::Column::Kind.eq(kind.as_str()))
                .into_query(),
        )
    }

    /// The same, one level down: ids of the reservations of changed leases.
    fn changed_reservations(self) -> Option<SelectStatement> {
        self.changed(Kind::Lease).map(|leases| {
            Query::select()
                .column(reservation::Column::Id)
                .from(reservation::Entity)
                .and_where(reservation::Column::LeaseId.in_subquery(leases))
                .take()
        })
    }
}

/// The row of the book.
pub(crate) async fn book_row(connection: &impl ConnectionTrait) -> Result<book::Model, Failure> {
    book::Entity::find_by_id(1).one(connection).await?.ok_or_else(|| {
        StoreError::Corrupt {
            what: "no row that counts the epochs".to_owned(),
        }
        .into()
    })
}

async fn rows<E, C>(
    connection: &impl ConnectionTrait,
    column: C,
    ids: Option<SelectStatement>,
) -> Result<Vec<E::Model>, Failure>
where
    E: EntityTrait<Column = C>,
    C: ColumnTrait,
{
    let mut select = E::find();
    if let Some(ids) = ids {
        select = select.filter(column.in_subquery(ids));
    }
    Ok(select.all(connection).await?)
}

async fn lease_rows(connection: &impl ConnectionTrait, scope: Scope) -> Result<LeaseRows, Failure> {
    let leases = scope.changed(Kind::Lease);
    let reservations = scope.changed_reservations();
    Ok(LeaseRows {
        leases: rows::<lease::Entity, _>(connection, lease::Column::Id, leases.clone()).await?,
        reservations: rows::<reservation::Entity, _>(connection, reservation::Column::LeaseId, leases.clone()).await?,
        host_reservations: rows::<host_reservation::Entity, _>(
            connection,
            host_reservation::Column::ReservationId,
            reservations.clone(),
        )
        .await?,
        allocations: rows::<allocation::Entity, _>(connection, allocation::Column::ReservationId, reservations.clone())
            .await?,
        instance_reservations: rows::<instance_reservation::Entity, _>(
            connection,
            instance_reservation::Column::ReservationId,
            reservations.clone(),
        )
        .await?,
        flavor_reservations: rows::<flavor_reservation::Entity, _>(
            connection,
            flavor_reservation::Column::ReservationId,
            reservations.clone(),
        )
        .await?,
        instance_places: rows::<instance_place::Entity, _>(
            connection,
            instance_place::Column::ReservationId,
            reservations.clone(),
        )
        .await?,
        floating_ip_reservations: rows::<floating_ip_reservation::Entity, _>(
            connection,
            floating_ip_reservation::Column::ReservationId,
            reservations.clone(),
        )
        .await?,
        required_floating_ips: rows::<required_floating_ip::Entity, _>(
            connection,
            required_floating_ip::Column::ReservationId,
            reservations,
        )
        .await?,
        countable_reservations: rows::<countable_reservation::Entity, _>(
            connection,
            countable_reservation::Column::ReservationId,
            scope.changed_reservations(),
        )
        .await?,
        events: rows::<event::Entity, _>(connection, event::Column::LeaseId, leases).await?,
    })
}

async fn host_rows(connection: &impl ConnectionTrait, scope: Scope) -> Result<HostRows, Failure> {
    let hosts = scope.changed(Kind::Host);
    Ok(HostRows {
        hosts: rows::<host::Entity, _>(connection, host::Column::Id, hosts.clone()).await?,
        capabilities: rows::<host_capability::Entity, _>(connection, host_capability::Column::HostId, hosts.clone())
            .await?,
        inventories: rows::<host_inventory::Entity, _>(connection, host_inventory::Column::HostId, hosts.clone())
            .await?,
        traits: rows::<host_trait::Entity, _>(connection, host_trait::Column::HostId, hosts).await?,
    })
}

/// Everything.
pub(crate) async fn contents(connection: &impl ConnectionTrait) -> Result<Contents, Failure> {
    let scope = Scope::Everything;
    let epoch = book_row(connection).await?.epoch;
    let leases = leases_from_rows(lease_rows(connection, scope).await?)?;
    let hosts = hosts_from_rows(host_rows(connection, scope).await?);
    let floating_ips = rows::<floating_ip::Entity, _>(connection, floating_ip::Column::Id, None).await?;
    let properties = rows::<property::Entity, _>(connection, property::Column::Id, None).await?;
    let mut findings = Vec::new();
    for row in rows::<finding::Entity, _>(connection, finding::Column::LeaseId, None).await? {
        if let Change::PutFindings {
            lease_id,
            findings: found,
        } = findings_from_row(&row)?
        {
            findings.push((lease_id, Arc::unwrap_or_clone(found)));
        }
    }
    let mut contents = Contents {
        epoch,
        leases,
        hosts,
        floating_ips: floating_ips.into_iter().map(floating_ip_from_row).collect(),
        properties: properties.into_iter().map(property_from_row).collect(),
        findings,
    };
    // The engines deliver rows in different orders.
    contents.leases.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    contents.hosts.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    contents
        .floating_ips
        .sort_unstable_by(|one, other| one.id.cmp(&other.id));
    contents.properties.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    contents.findings.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    Ok(contents)
}

/// What has changed after `since`: deletions first, then hosts, floating IPs, properties, leases, findings.
pub(crate) async fn changes(connection: &impl ConnectionTrait, since: Epoch) -> Result<(Epoch, Vec<Change>), Failure> {
    let book = book_row(connection).await?;
    // A book behind the caller was restored from a copy: what the caller has seen since is void.
    if since < book.feed_complete_after || since > book.epoch {
        return Err(StoreError::FeedTruncated { since }.into());
    }
    if since == book.epoch {
        return Ok((book.epoch, Vec::new()));
    }
    let scope = Scope::ChangedAfter(since);
    let mut gone = changed_objects(connection, since).await?;
    let mut puts = Vec::new();
    // Asked of one kind at a time so that a feed about leases only costs no queries about hosts.
    if let Some(gone) = gone.get_mut(&Kind::Host) {
        for host in hosts_from_rows(host_rows(connection, scope).await?) {
            gone.remove(&host.id);
            puts.push(Change::PutHost(Arc::new(host)));
        }
    }
    if let Some(gone) = gone.get_mut(&Kind::FloatingIp) {
        let ids = scope.changed(Kind::FloatingIp);
        for row in rows::<floating_ip::Entity, _>(connection, floating_ip::Column::Id, ids).await? {
            gone.remove(&row.id);
            puts.push(Change::PutFloatingIp(Arc::new(floating_ip_from_row(row))));
        }
    }
    if let Some(gone) = gone.get_mut(&Kind::Property) {
        let ids = scope.changed(Kind::Property);
        for row in rows::<property::Entity, _>(connection, property::Column::Id, ids).await? {
            gone.remove(&row.id);
            puts.push(Change::PutProperty(Arc::new(property_from_row(row))));
        }
    }
    if let Some(gone) = gone.get_mut(&Kind::Lease) {
        for lease in leases_from_rows(lease_rows(connection, scope).await?)? {
            gone.remove(&lease.id);
            puts.push(Change::PutLease(Arc::new(lease)));
        }
    }
    if let Some(gone) = gone.get_mut(&Kind::Findings) {
        let ids = scope.changed(Kind::Findings);
        for row in rows::<finding::Entity, _>(connection, finding::Column::LeaseId, ids).await? {
            gone.remove(&row.lease_id);
            puts.push(findings_from_row(&row)?);
        }
    }

    let mut changes: Vec<Change> = gone
        .into_iter()
        .flat_map(|(kind, ids)| ids.into_iter().filter_map(move |id| removal(kind, id)))
        .collect();
    changes.append(&mut puts);
    Ok((book.epoch, changes))
}

/// The ids that the feed names after `since`, by kind.
async fn changed_objects(
    connection: &impl ConnectionTrait,
    since: Epoch,
) -> Result<BTreeMap<Kind, BTreeSet<String>>, Failure> {
    let pairs: Vec<(String, String)> = change::Entity::find()
        .select_only()
        .column(change::Column::Kind)
        .column(change::Column::ObjectId)
        .distinct()
        .filter(change::Column::Epoch.gt(since))
        .into_tuple()
        .all(connection)
        .await?;
    let mut objects: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for (kind, id) in pairs {
        objects.entry(Kind::parse(&kind)?).or_default().insert(id);
    }
    Ok(objects)
}

/// The change that says that an object is gone; properties are never removed.
fn removal(kind: Kind, id: String) -> Option<Change> {
    match kind {
        Kind::Lease => Some(Change::DeleteLease(id)),
        Kind::Host => Some(Change::DeleteHost(id)),
        Kind::FloatingIp => Some(Change::DeleteFloatingIp(id)),
        Kind::Property => None,
        Kind::Findings => Some(Change::PutFindings {
            lease_id: id,
            findings: Arc::default(),
        }),
    }
}
