//! Rows of `hosts`: hosts without their capabilities.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hosts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub vcpus: i64,
    #[sea_orm(column_type = "Text")]
    pub cpu_info: String,
    #[sea_orm(column_type = "Text")]
    pub hypervisor_type: String,
    pub hypervisor_version: i64,
    pub hypervisor_hostname: String,
    pub service_name: String,
    pub memory_mb: i64,
    pub local_gb: i64,
    pub availability_zone: String,
    pub trust_id: String,
    pub reservable: bool,
    pub created_at: i64,
    pub updated_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
