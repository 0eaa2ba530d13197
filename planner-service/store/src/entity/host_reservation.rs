//! Rows of `host_reservations`: what is reserved by a reservation of hosts.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "host_reservations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub reservation_id: String,
    pub minimum: i64,
    pub maximum: i64,
    #[sea_orm(column_type = "Text")]
    pub hypervisor_properties: String,
    #[sea_orm(column_type = "Text")]
    pub resource_properties: String,
    pub before_end: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
