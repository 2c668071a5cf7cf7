//! What a caller may put users and groups into, and how much it may give away.

use crate::{
    error::{Error, Result},
    http::{Caller, caller::Permissions},
    identity::groups,
};
use sqlx::PgConnection;

/// Locks a group that the caller reaches against changes until the transaction ends, and says what
/// its members may do; None if it is not there, out of reach, or switched off.
pub(super) async fn open_group(
    connection: &mut PgConnection,
    caller: &Caller,
    group: i64,
) -> Result<Option<Permissions>> {
    const SQL: &str = "
        SELECT FROM user_group WHERE id = $2 AND NOT deleted
          AND id IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1) FOR SHARE";
    let found =
        sqlx::query(SQL).bind(caller.group()).bind(group).fetch_optional(&mut *connection).await?.is_some();
    if found { groups::allowed(connection, group).await } else { Ok(None) }
}

/// Refuses (403) a caller who may do less than the members of `group`, which it reaches: it could
/// make itself one of them. People may do whatever those below them may; keys may have less.
pub(super) async fn may_steer(connection: &mut PgConnection, caller: &Caller, group: i64) -> Result<()> {
    let theirs = groups::allowed(connection, group).await?;
    if theirs.is_none_or(|theirs| theirs.within(caller.grant.permissions)) {
        Ok(())
    } else {
        Err(Error::Forbidden("the members of its group may do more than you".into()))
    }
}
