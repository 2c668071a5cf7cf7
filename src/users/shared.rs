//! Locations that a group reads although a group above it has them.

use crate::{
    error::{Error, Issue, Result, violates},
    http::Caller,
};
use sqlx::PgConnection;

/// The most complaints in one answer.
const ISSUES_MAX: i64 = 20;

/// One kind of thing that is shared, with its statements.
pub(super) struct Kind {
    /// Where a body names them.
    field: &'static str,
    /// Which places of a list ($3) name none that the caller ($1) may share with the group ($2): what is its
    /// own or a lower group's, what is shared with it, and what the group has already.
    strangers: &'static str,
    /// Takes away from a group ($1) what is not in a list ($2).
    withdraw: &'static str,
    /// Gives a group ($1) what is in a list ($2).
    share: &'static str,
    /// What a share fails with whose thing was deleted meanwhile.
    gone: &'static str,
}

macro_rules! kind {
    ($field:literal, $noun:literal) => {
        Kind {
            field: $field,
            strangers: concat!(
                "SELECT place - 1 FROM unnest($3::bigint[]) WITH ORDINALITY AS named (id, place)
                 WHERE NOT EXISTS (SELECT FROM ",
                $noun,
                " thing WHERE thing.id = named.id AND (
                     thing.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)
                     OR EXISTS (SELECT FROM user_group_",
                $noun,
                " s WHERE s.",
                $noun,
                " = thing.id
                                AND s.user_group IN ($1, $2))))
                 ORDER BY place LIMIT $4"
            ),
            withdraw: concat!(
                "DELETE FROM user_group_",
                $noun,
                " WHERE user_group = $1 AND ",
                $noun,
                " <> ALL ($2)"
            ),
            share: concat!(
                "INSERT INTO user_group_",
                $noun,
                " (user_group, ",
                $noun,
                ")
                 SELECT $1, id FROM unnest($2::bigint[]) AS named (id) ON CONFLICT DO NOTHING"
            ),
            gone: concat!("user_group_", $noun, "_", $noun, "_fkey"),
        }
    };
}

/// Single locations.
pub(super) const LOCATIONS: Kind = kind!("/locations", "location");

/// Groups of them.
pub(super) const LOCATION_GROUPS: Kind = kind!("/locationGroups", "location_group");

impl Kind {
    /// Shares these with `group`, and nothing else of the kind.
    pub(super) async fn replace(
        &self,
        connection: &mut PgConnection,
        caller: &Caller,
        group: i64,
        ids: &[i64],
    ) -> Result<()> {
        let strangers: Vec<i64> = sqlx::query_scalar(self.strangers)
            .bind(caller.group())
            .bind(group)
            .bind(ids)
            .bind(ISSUES_MAX)
            .fetch_all(&mut *connection)
            .await?;
        if !strangers.is_empty() {
            let issue = |place| Issue::at(format!("{}/{place}", self.field), "is none that you may share");
            return Err(Error::Invalid(strangers.into_iter().map(issue).collect()));
        }
        sqlx::query(self.withdraw).bind(group).bind(ids).execute(&mut *connection).await?;
        let shared = sqlx::query(self.share).bind(group).bind(ids).execute(connection).await;
        match shared {
            Err(error) if violates(&error, self.gone) => {
                Err(Error::invalid(self.field, "names one that was deleted a moment ago"))
            }
            done => done.map(drop).map_err(Error::from),
        }
    }
}
