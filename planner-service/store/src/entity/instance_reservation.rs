//! Rows of `instance_reservations`: what is reserved by a reservation of instances.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "instance_reservations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub reservation_id: String,
    pub vcpus: i64,
    pub memory_mb: i64,
    pub disk_gb: i64,
    pub amount: i64,
    pub affinity: Option<bool>,
    #[sea_orm(column_type = "Text")]
    pub resource_properties: String,
    pub aggregate_id: Option<i64>,
    pub server_group_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
