//! Rows of `reservations`: what is common to reservations of all resource types.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reservations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub lease_id: String,
    pub position: i64,
    pub resource_id: String,
    pub resource_type: String,
    pub status: String,
    pub missing_resources: bool,
    pub resources_changed: bool,
    pub created_at: i64,
    pub updated_at: Option<i64>,
    /// What the outside world has been told, as JSON; nothing in rows of before that was kept.
    #[sea_orm(column_type = "Text", nullable)]
    pub handover: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
