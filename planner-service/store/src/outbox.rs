//! The outbox: what waits to be sent, oldest first.
//!
//! Invariant: commits are written one after another, so whoever sees a row sees every row before it
//! that is still there; nothing appears in front of what was read.

use planner_core::ports::{OutboxEntry, OutboxPosition};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::convert::outbox_entry;
use crate::entity::outbox;
use crate::failure::Failure;

/// The first notifications of an outlet, at most `most`.
pub(crate) async fn first(
    connection: &impl ConnectionTrait,
    outlet: &str,
    most: u64,
) -> Result<Vec<OutboxEntry>, Failure> {
    let rows = outbox::Entity::find()
        .filter(outbox::Column::Outlet.eq(outlet))
        .order_by_asc(outbox::Column::Epoch)
        .order_by_asc(outbox::Column::Position)
        .limit(most)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(outbox_entry).collect::<Result<_, _>>()?)
}

/// Removes everything of an outlet up to and with `through`.
pub(crate) async fn remove(
    connection: &impl ConnectionTrait,
    outlet: &str,
    through: OutboxPosition,
) -> Result<(), Failure> {
    let same_commit = Condition::all()
        .add(outbox::Column::Epoch.eq(through.epoch))
        .add(outbox::Column::Position.lte(through.index));
    outbox::Entity::delete_many()
        .filter(outbox::Column::Outlet.eq(outlet))
        .filter(
            Condition::any()
                .add(outbox::Column::Epoch.lt(through.epoch))
                .add(same_commit),
        )
        .exec(connection)
        .await?;
    Ok(())
}
