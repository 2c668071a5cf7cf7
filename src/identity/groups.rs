//! The tree of user groups: what lies above a group, and what that leaves its members to do.

use super::permission::Permissions;
use crate::error::Result;
use sqlx::PgExecutor;

/// The group and those above it: itself first, the root last. Empty if there is no such group.
pub async fn ancestors(db: impl PgExecutor<'_>, group: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar("SELECT ancestor FROM user_group_tree WHERE descendant = $1 ORDER BY depth")
        .bind(group)
        .fetch_all(db)
        .await?)
}

/// What members of `group` may do: what it and every group above it allow, where a group without a
/// list of its own takes over its parent's, and a root without one allows all.
/// None where it, or one above it, is disabled or deleted, or where there is no such group.
pub async fn allowed(db: impl PgExecutor<'_>, group: i64) -> Result<Option<Permissions>> {
    Ok(standing(db, group).await?.map(|(permissions, _)| permissions))
}

/// The same, with the group and those above it, which it follows from.
pub async fn standing(db: impl PgExecutor<'_>, group: i64) -> Result<Option<(Permissions, Box<[i64]>)>> {
    let line: Vec<(Option<Vec<String>>, bool, i64)> = sqlx::query_as(
        "SELECT g.permissions, g.disabled_at IS NULL AND NOT g.deleted, g.id
         FROM user_group_tree t JOIN user_group g ON g.id = t.ancestor
         WHERE t.descendant = $1",
    )
    .bind(group)
    .fetch_all(db)
    .await?;
    if line.is_empty() || line.iter().any(|(_, open, _)| !open) {
        return Ok(None);
    }
    let lists = line.iter().filter_map(|(list, ..)| list.as_deref());
    let permissions = lists.map(Permissions::named).fold(Permissions::ALL, Permissions::and);
    Ok(Some((permissions, line.iter().map(|(.., id)| *id).collect())))
}
