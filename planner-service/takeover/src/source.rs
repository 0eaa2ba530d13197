//! The tables of a Blazar database, schema of 18.0.0.
//!
//! Invariant: everything is read in one transaction that may not write.

use std::collections::BTreeMap;

use sea_orm::{
    AccessMode, ConnectionTrait, Database, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, Statement,
    TransactionTrait,
};
use url::Url;

use crate::row::Row;

/// Why the source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not the address of a server that Blazar can use.
    #[error("the address of Blazar's database is mysql://USER:PASSWORD@HOST/DATABASE or postgresql://..., {0}")]
    Address(&'static str),
    /// The server does not let us in.
    #[error("Blazar's database cannot be opened")]
    Open(#[source] DbErr),
    /// A table is missing or looks otherwise: not a Blazar database of 18.0.0.
    #[error("the table {table} cannot be read; a database of Blazar 18.0.0 is expected")]
    Table {
        /// The table.
        table: &'static str,
        /// The server's answer.
        #[source]
        source: DbErr,
    },
}

/// All rows that matter.
#[derive(Debug, Clone, Default)]
pub struct Source {
    pub(crate) leases: Vec<Row>,
    pub(crate) reservations: Vec<Row>,
    pub(crate) events: Vec<Row>,
    pub(crate) host_reservations: Vec<Row>,
    pub(crate) instance_reservations: Vec<Row>,
    pub(crate) floatingip_reservations: Vec<Row>,
    pub(crate) required_floatingips: Vec<Row>,
    pub(crate) host_allocations: Vec<Row>,
    pub(crate) floatingip_allocations: Vec<Row>,
    pub(crate) hosts: Vec<Row>,
    pub(crate) capabilities: Vec<Row>,
    pub(crate) inventories: Vec<Row>,
    pub(crate) traits: Vec<Row>,
    pub(crate) properties: Vec<Row>,
    pub(crate) floatingips: Vec<Row>,
}

/// Reads the database at an address as OpenStack's services are configured with it.
///
/// # Errors
/// When it cannot be reached or is no Blazar database.
pub async fn read(address: &str) -> Result<Source, SourceError> {
    let connection = Database::connect(plain(address)?.as_str())
        .await
        .map_err(SourceError::Open)?;
    let transaction = connection
        .begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly))
        .await
        .map_err(SourceError::Open)?;
    let source = tables(&transaction).await;
    // Nothing was written: how the transaction ends does not matter.
    let _ = transaction.rollback().await;
    let _ = connection.close().await;
    source
}

/// The address without the name of a Python driver and the parameters only that one knows.
fn plain(address: &str) -> Result<Url, SourceError> {
    let (scheme, rest) = address
        .split_once("://")
        .ok_or(SourceError::Address("not without ://"))?;
    let engine = scheme.split('+').next().unwrap_or_default();
    let engine = match engine {
        "mysql" | "mariadb" => "mysql",
        "postgres" | "postgresql" => "postgres",
        _ => return Err(SourceError::Address("no other scheme")),
    };
    let mut url = Url::parse(&format!("{engine}://{rest}")).map_err(|_| SourceError::Address("and that is no URL"))?;
    url.set_query(None);
    Ok(url)
}

async fn tables(transaction: &DatabaseTransaction) -> Result<Source, SourceError> {
    let read = async |table, columns| rows(transaction, table, columns).await;
    Ok(Source {
        leases: read(
            "leases",
            &[
                "name",
                "user_id",
                "project_id",
                "start_date",
                "end_date",
                "trust_id",
                "status",
                "degraded",
            ],
        )
        .await?,
        reservations: read(
            "reservations",
            &[
                "lease_id",
                "resource_id",
                "resource_type",
                "status",
                "missing_resources",
                "resources_changed",
            ],
        )
        .await?,
        events: read("events", &["lease_id", "event_type", "time", "status"]).await?,
        host_reservations: read(
            "computehost_reservations",
            &[
                "reservation_id",
                "resource_properties",
                "hypervisor_properties",
                "count_range",
                "before_end",
            ],
        )
        .await?,
        instance_reservations: read(
            "instance_reservations",
            &[
                "reservation_id",
                "vcpus",
                "memory_mb",
                "disk_gb",
                "amount",
                "affinity",
                "resource_properties",
                "aggregate_id",
                "server_group_id",
            ],
        )
        .await?,
        floatingip_reservations: read("floatingip_reservations", &["reservation_id", "network_id", "amount"]).await?,
        required_floatingips: read("required_floatingips", &["address", "floatingip_reservation_id"]).await?,
        host_allocations: read("computehost_allocations", &["compute_host_id", "reservation_id"]).await?,
        floatingip_allocations: read("floatingip_allocations", &["floatingip_id", "reservation_id"]).await?,
        hosts: read(
            "computehosts",
            &[
                "vcpus",
                "cpu_info",
                "hypervisor_type",
                "hypervisor_version",
                "hypervisor_hostname",
                "service_name",
                "memory_mb",
                "local_gb",
                "availability_zone",
                "trust_id",
                "reservable",
            ],
        )
        .await?,
        capabilities: read(
            "computehost_extra_capabilities",
            &["computehost_id", "property_id", "capability_value"],
        )
        .await?,
        inventories: read(
            "computehost_resource_inventory",
            &[
                "computehost_id",
                "resource_class",
                "total",
                "reserved",
                "max_unit",
                "allocation_ratio",
            ],
        )
        .await?,
        traits: read("computehost_trait", &["computehost_id", "trait"]).await?,
        properties: read("resource_properties", &["resource_type", "property_name", "private"]).await?,
        floatingips: read(
            "floatingips",
            &["floating_network_id", "subnet_id", "floating_ip_address", "reservable"],
        )
        .await?,
    })
}

/// All rows of a table, by id.
async fn rows(
    transaction: &DatabaseTransaction,
    table: &'static str,
    columns: &[&'static str],
) -> Result<Vec<Row>, SourceError> {
    let backend = transaction.get_database_backend();
    let text = if backend == DbBackend::Postgres { "TEXT" } else { "CHAR" };
    let all: Vec<&'static str> = ["id", "created_at", "updated_at"]
        .iter()
        .chain(columns)
        .copied()
        .collect();
    // Names of tables and columns are those above, never a caller's.
    let casts: Vec<String> = all
        .iter()
        .enumerate()
        .map(|(n, column)| format!("CAST(t.{column} AS {text}) AS c{n}"))
        .collect();
    let query = format!("SELECT {} FROM {table} t ORDER BY t.id", casts.join(", "));
    let failed = |source| SourceError::Table { table, source };
    let found = transaction
        .query_all_raw(Statement::from_string(backend, query))
        .await
        .map_err(failed)?;
    let mut rows = Vec::with_capacity(found.len());
    for result in found {
        let mut values = BTreeMap::new();
        for (number, column) in all.iter().enumerate() {
            values.insert(*column, result.try_get("", &format!("c{number}")).map_err(failed)?);
        }
        rows.push(Row { table, values });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_openstack_services() {
        let plain = |address| plain(address).map(|url| url.to_string()).ok();
        let expected = Some("mysql://blazar:secret@db/blazar".to_owned());
        assert_eq!(plain("mysql+pymysql://blazar:secret@db/blazar?charset=utf8"), expected);
        assert_eq!(plain("postgresql://u@h:5/b"), Some("postgres://u@h:5/b".to_owned()));
        assert_eq!(plain("sqlite:///x"), None);
        assert_eq!(plain("blazar"), None);
    }
}
