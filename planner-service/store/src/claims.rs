//! Claims: who does the work of a lease.
//!
//! Invariant: a claim's number is greater than that of every earlier claim of any lease, because all
//! are drawn from one counter, in the transaction that writes the claim. So a claim that was given back
//! leaves no row.

use planner_core::domain::Timestamp;
use planner_core::ports::{Fence, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::{claim, fence};
use crate::failure::Failure;

/// Claims a lease inside the transaction it is given; the caller rolls back when there is no claim.
pub(crate) async fn claim(
    connection: &impl ConnectionTrait,
    lease_id: &str,
    owner: &str,
    now: Timestamp,
    expires: Timestamp,
) -> Result<Option<Fence>, Failure> {
    // The counter's row also makes claims wait for each other, always in the same order.
    fence::Entity::update_many()
        .col_expr(fence::Column::Number, Expr::col(fence::Column::Number).add(1))
        .exec(connection)
        .await?;
    let number = fence::Entity::find_by_id(1)
        .one(connection)
        .await?
        .ok_or_else(|| StoreError::Corrupt {
            what: "no row that numbers the claims".to_owned(),
        })?
        .number;
    let taken_over = claim::Entity::update_many()
        .col_expr(claim::Column::Owner, Expr::value(owner))
        .col_expr(claim::Column::Fence, Expr::value(number))
        .col_expr(claim::Column::ExpiresAt, Expr::value(expires))
        .filter(claim::Column::LeaseId.eq(lease_id))
        .filter(claim::Column::ExpiresAt.lte(now))
        .exec(connection)
        .await?;
    let fence = Fence {
        lease_id: lease_id.to_owned(),
        number,
    };
    if taken_over.rows_affected > 0 {
        return Ok(Some(fence));
    }
    // A look first: the usual reason is that somebody holds it.
    if claim::Entity::find_by_id(lease_id)
        .lock_exclusive()
        .one(connection)
        .await?
        .is_some()
    {
        return Ok(None);
    }
    claim::Entity::insert(claim::ActiveModel {
        lease_id: ActiveValue::Set(lease_id.to_owned()),
        owner: ActiveValue::Set(owner.to_owned()),
        fence: ActiveValue::Set(number),
        expires_at: ActiveValue::Set(expires),
    })
    .exec_without_returning(connection)
    .await?;
    Ok(Some(fence))
}

/// Extends a claim; `false` if it is no longer held.
pub(crate) async fn renew(
    connection: &impl ConnectionTrait,
    fence: &Fence,
    expires: Timestamp,
) -> Result<bool, Failure> {
    let renewed = claim::Entity::update_many()
        .col_expr(claim::Column::ExpiresAt, Expr::value(expires))
        .filter(held(fence))
        .exec(connection)
        .await?;
    Ok(renewed.rows_affected > 0)
}

/// Gives a claim back, if it is still held.
pub(crate) async fn release(connection: &impl ConnectionTrait, fence: &Fence) -> Result<(), Failure> {
    claim::Entity::delete_many()
        .filter(held(fence))
        .exec(connection)
        .await?;
    Ok(())
}

/// Gives back the claims of all owners whose name begins with `prefix`.
pub(crate) async fn release_all(connection: &impl ConnectionTrait, prefix: &str) -> Result<(), Failure> {
    // LIKE folds case on SQLite, so the beginning is compared as it is.
    let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
    let beginning =
        Func::cust("SUBSTR").args([Expr::col(claim::Column::Owner), Expr::value(1_i32), Expr::value(length)]);
    claim::Entity::delete_many()
        .filter(Expr::expr(beginning).eq(prefix))
        .exec(connection)
        .await?;
    Ok(())
}

fn held(fence: &Fence) -> Condition {
    Condition::all()
        .add(claim::Column::LeaseId.eq(fence.lease_id.as_str()))
        .add(claim::Column::Fence.eq(fence.number))
}
