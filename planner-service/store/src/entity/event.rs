//! Rows of `events`: scheduled actions of leases.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub lease_id: String,
    pub position: i64,
    pub event_type: String,
    pub due_at: i64,
    pub status: String,
    pub attempts: i64,
    pub not_before: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub waiting: Option<String>,
    pub created_at: i64,
    pub updated_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
