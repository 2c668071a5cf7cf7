//! One condition of a list query as SQL.

use super::{
    Kind,
    value::{Condition, Op, Value},
};
use crate::time::Moment;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use sqlx::{Postgres, QueryBuilder};

impl Condition {
    /// Adds it to a statement, its values bound.
    pub fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        let column = self.column.sql;
        if matches!(self.column.kind, Kind::Time | Kind::Instant) {
            return self.push_times(sql);
        }
        let operator = match self.op {
            Op::Is => return self.push_equal(sql),
            Op::Not if self.values.contains(&Value::Null) => {
                sql.push(column).push(" IS NOT NULL");
                return;
            }
            Op::Not => " IS DISTINCT FROM ",
            Op::Less => " < ",
            Op::AtMost => " <= ",
            Op::More => " > ",
            Op::AtLeast => " >= ",
            Op::Contains | Op::StartsWith | Op::EndsWith => " ILIKE ",
        };
        let [value] = self.values.as_slice() else { return };
        sql.push(column).push(operator);
        match (self.op, value) {
            (Op::Contains, Value::Text(text)) => sql.push_bind(format!("%{}%", literal(text))),
            (Op::StartsWith, Value::Text(text)) => sql.push_bind(format!("{}%", literal(text))),
            (Op::EndsWith, Value::Text(text)) => sql.push_bind(format!("%{}", literal(text))),
            _ => push_value(sql, value, self.column.kind),
        };
    }

    /// Compares times as rows show them, rounded down: each stands for all moments of its second, or millisecond.
    /// The column stays by itself, for its index.
    fn push_times(&self, sql: &mut QueryBuilder<Postgres>) {
        let (column, grain) = (self.column.sql, self.column.kind.grain());
        let mut push = |comparison: &'static str, at: DateTime<Utc>| {
            sql.push(column).push(comparison).push_bind(at);
        };
        let next = |at: DateTime<Utc>| at.checked_add_signed(grain).unwrap_or(at);
        match (self.op, self.values.as_slice()) {
            (Op::Less, [Value::Time(at)]) => push(" < ", *at),
            (Op::AtMost, [Value::Time(at)]) => push(" < ", next(*at)),
            (Op::More, [Value::Time(at)]) => push(" >= ", next(*at)),
            (Op::AtLeast, [Value::Time(at)]) => push(" >= ", *at),
            (op, values) => {
                sql.push(if op == Op::Not { "NOT (" } else { "(" });
                for (place, value) in values.iter().enumerate() {
                    sql.push(if place > 0 { " OR " } else { "" });
                    match value {
                        Value::Time(at) => {
                            // Known to hold or not, also where there is no time.
                            sql.push("(").push(column).push(" IS NOT NULL AND ").push(column).push(" >= ");
                            sql.push_bind(*at)
                                .push(" AND ")
                                .push(column)
                                .push(" < ")
                                .push_bind(next(*at))
                                .push(")");
                        }
                        _ => {
                            sql.push(column).push(" IS NULL");
                        }
                    }
                }
                sql.push(")");
            }
        }
    }

    /// `= ANY` of the values, in their type, and `IS NULL` if none at all is one of them.
    fn push_equal(&self, sql: &mut QueryBuilder<Postgres>) {
        let column = self.column.sql;
        sql.push("(").push(column);
        match (self.values.as_slice(), self.column.kind) {
            ([Value::Null], _) => {
                sql.push(" IS NULL)");
                return;
            }
            ([value], _) => {
                sql.push(" = ");
                push_value(sql, value, self.column.kind);
            }
            (values, kind @ Kind::Moment { .. }) => {
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        sql.push(" OR ").push(column);
                    }
                    push_value(sql.push(" IS NOT DISTINCT FROM "), value, kind);
                }
            }
            (values, Kind::Int) => push_any(sql, values, |value| match value {
                Value::Int(value) => Some(*value),
                _ => None,
            }),
            (values, Kind::Real) => push_any(sql, values, |value| match value {
                Value::Real(value) => Some(*value),
                _ => None,
            }),
            (values, Kind::Uuid) => push_any(sql, values, |value| match value {
                Value::Uuid(value) => Some(*value),
                _ => None,
            }),
            (values, Kind::Bool) => push_any(sql, values, |value| match value {
                Value::Bool(value) => Some(*value),
                _ => None,
            }),
            // Times come here as nothing at all.
            (values, Kind::Text | Kind::Word(_) | Kind::Time | Kind::Instant) => {
                push_any(sql, values, |value| match value {
                    Value::Text(value) => Some(value.clone()),
                    _ => None,
                });
            }
        }
        if self.values.contains(&Value::Null) {
            sql.push(" OR ").push(column).push(" IS NULL");
        }
        sql.push(")");
    }
}

/// `= ANY` of those values that `pick` makes something of.
fn push_any<T>(sql: &mut QueryBuilder<Postgres>, values: &[Value], pick: impl Fn(&Value) -> Option<T>)
where
    Vec<T>: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
{
    let values: Vec<T> = values.iter().filter_map(pick).collect();
    sql.push(" = ANY(").push_bind(values).push(")");
}

/// Binds a value in the type of its column.
pub(super) fn push_value<'a>(
    sql: &'a mut QueryBuilder<Postgres>,
    value: &Value,
    kind: Kind,
) -> &'a mut QueryBuilder<Postgres> {
    match value {
        Value::Day(day) => {
            let Kind::Moment { zone, ends } = kind else { return sql.push_bind(*day) };
            // Postgres may not know every zone that the server knows.
            sql.push("((")
                .push_bind(by_zone(*day, ends))
                .push("::jsonb ->> (")
                .push(zone)
                .push("))::timestamptz)")
        }
        Value::Null => sql.push("NULL"),
        Value::Int(value) => sql.push_bind(*value),
        Value::Real(value) => sql.push_bind(*value),
        Value::Text(value) => sql.push_bind(value.clone()),
        Value::Uuid(value) => sql.push_bind(*value),
        Value::Time(value) => sql.push_bind(*value),
        Value::Bool(value) => sql.push_bind(*value),
    }
}

/// When a day begins in each zone, or its last microsecond: by the calendar that dates are stored by.
fn by_zone(day: NaiveDate, ends: bool) -> serde_json::Value {
    let at = |zone: Tz| {
        let day = Moment::Date(day);
        if ends { day.expires_at(zone) - TimeDelta::microseconds(1) } else { day.starts_at(zone) }
    };
    TZ_VARIANTS.iter().map(|&zone| (zone.name().to_owned(), at(zone).to_rfc3339())).collect()
}

/// `text` as a LIKE pattern that matches itself alone.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_text_alone() {
        assert_eq!(literal(r"5%_\"), r"5\%\_\\");
    }

    #[test]
    fn a_day_begins_and_ends_in_each_zone() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
        assert_eq!(by_zone(day, false)["Europe/Amsterdam"], "2026-03-28T23:00:00+00:00");
        assert_eq!(by_zone(day, true)["Europe/Amsterdam"], "2026-03-29T21:59:59.999999+00:00");
    }
}
