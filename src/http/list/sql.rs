//! Turns a list query into SQL: names from declarations, values bound in the type of their column.

use super::{
    Kind,
    condition::push_value,
    follow::Horizon,
    params::{ListQuery, Side},
};
use crate::{
    error::{Error, Result},
    transaction,
};
use sqlx::{PgExecutor, PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

/// Groups that a statement names one by one; more of them are looked up by the statement itself.
const NAMED_MAX: i64 = 1_000;

/// A group and those below it.
///
/// Lists name the groups: from their number Postgres can tell whether few rows or most of a table
/// belong to them, and takes the index of the groups for the former. It can't from a sub-select.
#[derive(Clone, Debug)]
pub struct Below {
    group: i64,
    named: Option<Vec<i64>>,
}

impl Below {
    /// Looks them up.
    pub async fn of(db: impl PgExecutor<'_>, group: i64) -> Result<Self> {
        let sql = "SELECT descendant FROM user_group_tree WHERE ancestor = $1 LIMIT $2";
        let groups: Vec<i64> = sqlx::query_scalar(sql).bind(group).bind(NAMED_MAX + 1).fetch_all(db).await?;
        Ok(Self { group, named: Some(groups).filter(|groups| groups.len() as i64 <= NAMED_MAX) })
    }

    /// The group itself.
    pub fn group(&self) -> i64 {
        self.group
    }
}

impl From<i64> for Below {
    fn from(group: i64) -> Self {
        Self { group, named: None }
    }
}

impl From<&Self> for Below {
    fn from(below: &Self) -> Self {
        below.clone()
    }
}

/// Restricts rows to those that belong to a group or to one below it, by their `column`.
pub fn belongs_to(sql: &mut QueryBuilder<Postgres>, column: &'static str, below: impl Into<Below>) {
    let Below { group, named } = below.into();
    sql.push(column);
    match named {
        // An index of groups and ids then has the rows in their order.
        Some(groups) if groups.len() == 1 => sql.push(" = ").push_bind(group),
        Some(groups) => sql.push(" = ANY(").push_bind(groups).push(")"),
        None => sql
            .push(" IN (SELECT descendant FROM user_group_tree WHERE ancestor = ")
            .push_bind(group)
            .push(")"),
    };
}

/// Rows that are counted at most for who goes on from a row.
const COUNT_MAX: i64 = 1_000;

impl ListQuery {
    /// The rows of a page as they are read, and one more if others follow. No row is left behind them that a
    /// transaction under way may still commit before them.
    pub(super) async fn rows(
        &self,
        db: &PgPool,
        limit: i64,
        scope: &impl Fn(&mut QueryBuilder<Postgres>),
    ) -> Result<Vec<PgRow>> {
        // One more row than asked for tells whether there is a next page.
        let read = async |horizon: Option<&Horizon>| {
            let mut page = self.select("SELECT ", scope, Some(limit + 1), horizon);
            // Planned for these values, each time: the best plan for one group is the worst for another.
            page.build().persistent(false).fetch_all(db).await.map_err(|error| self.too_long(error))
        };
        let mut horizon = self.horizon(db).await?;
        let rows = read(None).await?;
        let last = rows.last().map(|row| self.id_of(row)).transpose()?;
        match (&mut horizon, last) {
            (Some(horizon), Some(last)) if horizon.is_before(&last) && !horizon.is_quiet(db).await? => {
                horizon.wait(db).await?;
                read(Some(horizon)).await
            }
            _ => Ok(rows),
        }
    }

    /// Asks how far a list can be read by ascending id, where that is how it is read.
    pub(super) async fn horizon(&self, db: &PgPool) -> Result<Option<Horizon>, sqlx::Error> {
        if !self.is_followed() {
            return Ok(None);
        }
        Horizon::of(db, self.listing.ids, self.now.unwrap_or_default()).await
    }

    /// Counts the rows that meet the conditions, whatever part of them is read. `None` where there are many for who
    /// goes on from a row: counting them again would take longer than the page; and where it takes too long.
    pub(super) async fn total(
        &self,
        db: impl PgExecutor<'_>,
        scope: &impl Fn(&mut QueryBuilder<Postgres>),
    ) -> Result<Option<i64>, sqlx::Error> {
        let at_most = self.from.as_ref().map(|_| COUNT_MAX + 1);
        let mut count = self.count(scope, at_most);
        match count.build_query_scalar().persistent(false).fetch_one(db).await {
            Ok(count) => Ok(Some(count).filter(|count| at_most.is_none_or(|most| *count < most))),
            Err(error) if transaction::was_too_long(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says what to narrow, if that is why a statement failed.
    pub(super) fn too_long(&self, error: sqlx::Error) -> Error {
        transaction::too_long(error, self.costs())
    }

    /// Points at what costs most in this query, for a client that is to ask for less.
    fn costs(&self) -> &'static str {
        match self {
            Self { conditions, .. } if !conditions.is_empty() => "/where",
            Self { sort: Some(_), .. } => "/sort",
            Self { skip: 1.., .. } => "/skip",
            _ => "",
        }
    }

    /// The statement for all rows in order, for exports.
    pub fn all(&self, scope: impl Fn(&mut QueryBuilder<Postgres>)) -> QueryBuilder<Postgres> {
        self.select("SELECT ", &scope, None, None)
    }

    /// The statement that begins so, up to its columns, and goes on as this query asks.
    pub(super) fn select(
        &self,
        begin: &'static str,
        scope: &impl Fn(&mut QueryBuilder<Postgres>),
        limit: Option<i64>,
        horizon: Option<&Horizon>,
    ) -> QueryBuilder<Postgres> {
        let id = self.listing.id();
        let mut sql = QueryBuilder::new(begin);
        sql.push(self.listing.select);
        self.push_from(&mut sql);
        sql.push(" WHERE (");
        scope(&mut sql);
        sql.push(")");
        self.push_conditions(&mut sql);
        if let Some(horizon) = horizon {
            horizon.push(&mut sql, id.sql);
        }
        let down = self.is_downward();
        if let Some(from) = &self.from {
            let (id_of_row, is_above) = match from {
                Side::After(id) => (id, !down),
                Side::Before(id) => (id, down),
            };
            sql.push(" AND ").push(id.sql).push(if is_above { " > " } else { " < " });
            push_value(&mut sql, id_of_row, id.kind);
        }
        sql.push(" ORDER BY ");
        match (self.sort, self.listing.order) {
            (None, Some(order)) => {
                sql.push(order);
            }
            // The id makes the order total, so that pages neither repeat nor miss a row.
            (Some((column, down)), _) if column.name != id.name => {
                let direction = if down { " DESC" } else { "" };
                sql.push(column.sql).push(direction).push(", ").push(id.sql).push(direction);
            }
            _ => {
                sql.push(id.sql).push(if down == self.is_read_backward() { "" } else { " DESC" });
            }
        }
        if let Some(limit) = limit {
            sql.push(" LIMIT ").push_bind(limit);
        }
        if self.skip > 0 {
            sql.push(" OFFSET ").push_bind(self.skip);
        }
        sql
    }

    fn count(
        &self,
        scope: &impl Fn(&mut QueryBuilder<Postgres>),
        at_most: Option<i64>,
    ) -> QueryBuilder<Postgres> {
        let mut sql = QueryBuilder::new("SELECT count(*) FROM (SELECT");
        self.push_from(&mut sql);
        sql.push(" WHERE (");
        scope(&mut sql);
        sql.push(")");
        self.push_conditions(&mut sql);
        if let Some(at_most) = at_most {
            sql.push(" LIMIT ").push_bind(at_most);
        }
        sql.push(") counted");
        sql
    }

    fn push_from(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" FROM ");
        if let Some(outside) = &self.outside {
            sql.push("(SELECT ").push_bind(outside.clone()).push("::jsonb AS facts) outside CROSS JOIN ");
        }
        sql.push(self.listing.from);
    }

    fn push_conditions(&self, sql: &mut QueryBuilder<Postgres>) {
        for condition in &self.conditions {
            sql.push(" AND ");
            condition.push(sql);
        }
    }

    pub(super) fn id_of(&self, row: &PgRow) -> Result<String, sqlx::Error> {
        match self.listing.id().kind {
            Kind::Uuid => row.try_get::<Uuid, _>("id").map(|id| id.to_string()),
            Kind::Text => row.try_get::<String, _>("id"),
            _ => row.try_get::<i64, _>("id").map(|id| id.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Ids, ListParams, Listing};
    use super::*;
    use proptest::prelude::*;

    static DRINKS: Listing = Listing {
        select: "d.*",
        from: "drink d",
        ids: Ids::Sequence("drink"),
        order: None,
        columns: &[
            Column::new("id", "d.id", Kind::Int),
            Column::new("name", "d.name", Kind::Text),
            Column::new("size", "d.size", Kind::Word(&["small", "large"])),
            Column::new("soldOut", "d.sold_out", Kind::Bool),
            Column::new("createdAt", "d.created_at", Kind::Time),
            Column::new("key", "d.key", Kind::Uuid),
            Column::new("weight", "d.weight", Kind::Real),
        ],
    };

    fn sql(query: &str) -> Result<String, String> {
        let query =
            ListParams::parse("/drink", query).over(&DRINKS).map_err(|error| error.problem().message)?;
        let sql = query.select(
            "SELECT ",
            &|sql| {
                sql.push("true");
            },
            None,
            None,
        );
        let text = sql.sql().as_str().to_owned();
        Ok(text.strip_prefix("SELECT d.* FROM drink d WHERE (true)").map(str::to_owned).unwrap_or(text))
    }

    #[test]
    fn conditions_become_sql_with_bound_values() {
        let cases = [
            ("", " ORDER BY d.id"),
            ("sort=name desc", " ORDER BY d.name DESC, d.id DESC"),
            ("sort=name", " ORDER BY d.name, d.id"),
            ("sort=id+desc", " ORDER BY d.id DESC"),
            ("sort=desc", " ORDER BY d.id DESC"),
            ("sort[name]=DESC", " ORDER BY d.name DESC, d.id DESC"),
            ("after=7", " AND d.id > $1 ORDER BY d.id"),
            ("after=7&sort=id+desc", " AND d.id < $1 ORDER BY d.id DESC"),
            ("before=7", " AND d.id < $1 ORDER BY d.id"),
            ("before=7&limit=2", " AND d.id < $1 ORDER BY d.id DESC"),
            ("before=7&limit=2&sort=desc", " AND d.id > $1 ORDER BY d.id"),
            ("skip=3", " ORDER BY d.id OFFSET $1"),
            ("where[id][]=1&where[id][]=2", " AND (d.id = ANY($1)) ORDER BY d.id"),
            ("where[id][in][]=1&where[id][in][]=2,3", " AND (d.id = ANY($1)) ORDER BY d.id"),
            ("where[soldOut]=1", " AND (d.sold_out = $1) ORDER BY d.id"),
            ("where[weight][%3E]=1.5", " AND d.weight > $1 ORDER BY d.id"),
            ("where[createdAt][%3C]=2026-01-01", " AND d.created_at < $1 ORDER BY d.id"),
            ("where[createdAt][%3E]=2026-01-01", " AND d.created_at >= $1 ORDER BY d.id"),
            (
                "where[createdAt][!]=2026-01-01",
                " AND NOT ((d.created_at IS NOT NULL AND d.created_at >= $1 AND d.created_at < $2)) ORDER BY d.id",
            ),
            ("where[createdAt]=null", " AND (d.created_at IS NULL) ORDER BY d.id"),
            ("where[name]=Cola", " AND (d.name = $1) ORDER BY d.id"),
            ("where[name][=]=a=b", " AND (d.name = $1) ORDER BY d.id"),
            ("where%5Bid%5D%5B%3C%3D%5D=5", " AND d.id <= $1 ORDER BY d.id"),
            ("where[id][=]=1&where[id][=]=2", " AND (d.id = ANY($1)) ORDER BY d.id"),
            ("where[id][in]=1,2&where[id]=null", " AND (d.id = ANY($1) OR d.id IS NULL) ORDER BY d.id"),
            ("where[key]=null", " AND (d.key IS NULL) ORDER BY d.id"),
            ("where[key][!]=null", " AND d.key IS NOT NULL ORDER BY d.id"),
            ("where[id][>]=1&where[id][<]=9", " AND d.id > $1 AND d.id < $2 ORDER BY d.id"),
            ("where[name][contains]=o%25", " AND d.name ILIKE $1 ORDER BY d.id"),
            ("where[size][!]=small", " AND d.size IS DISTINCT FROM $1 ORDER BY d.id"),
        ];
        for (query, expected) in cases {
            assert_eq!(sql(query).as_deref(), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_does_not_fit_the_list_is_refused_by_name() {
        let cases = [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=5&limit=6", "/limit"),
            ("skip=-1", "/skip"),
            ("page=1", "/page"),
            ("where=1", "/where"),
            ("after=7&sort=name", "/after"),
            ("after=7&before=9", "/before"),
            ("before=7&sort[name]=asc", "/before"),
            ("sort[colour]=asc", "/sort[colour]"),
            ("sort[name]=up", "/sort[name]"),
            ("sort=name&sort[id]=asc", "/sort[id]"),
            ("limit[]=5&limit=6", "/limit"),
            ("where[weight]=NaN", "/where[weight]"),
            ("after=x", "/after"),
            ("sort=colour", "/sort"),
            ("sort=name up", "/sort"),
            ("where[colour]=red", "/where[colour]"),
            ("where[id][?]=1", "/where[id][?]"),
            ("where[id][=", "/where[id]["),
            ("where[id]=one", "/where[id]"),
            ("where[id]=99999999999999999999", "/where[id]"),
            ("where[id][contains]=1", "/where[id][contains]"),
            ("where[size]=huge", "/where[size]"),
            ("where[size][<]=small", "/where[size][<]"),
            ("where[name]=a%00b", "/where[name]"),
            ("where[name]=%ff", "/where[name]"),
            ("where[createdAt][>]=soon", "/where[createdAt][>]"),
            ("where[soldOut]=yes", "/where[soldOut]"),
        ];
        for (query, pointer) in cases {
            let message = sql(query).expect_err(query);
            assert!(message.starts_with(&format!("{pointer}:")), "{query}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_query_string_is_read_or_refused(query in "\\PC*") {
            let _ = sql(&query);
        }

        #[test]
        fn no_value_gets_into_the_statement(
            column in prop::sample::select(vec!["id", "name", "size", "soldOut", "createdAt", "key", "weight", "x"]),
            op in prop::sample::select(vec!["=", "!", "<", "in", "contains", "startsWith", "endsWith", "?"]),
            value in "[';\"%_\\\\, a-z0-9]{0,12}",
        ) {
            let name = format!("where[{column}][{op}]");
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair(&name, &format!("zq{value}zq")).finish();
            if let Ok(sql) = sql(&query) {
                prop_assert!(!sql.contains("zq"), "{}", sql);
            }
        }
    }
}
