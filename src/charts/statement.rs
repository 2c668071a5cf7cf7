//! A plan as one statement, in which every value is bound.

use super::{
    criteria::{TimeFrame, ViewType},
    period::Span,
    plan::{Moment, Plan, Shows},
};
use crate::http::list::{Column, Kind};
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Tz;
use sqlx::{Postgres, QueryBuilder};

/// Rows that an answer has at most.
const ROWS_MAX: i64 = 10_000;

/// Who asks.
#[derive(Debug)]
pub struct Asker {
    /// The group, and those below it.
    pub groups: Vec<i64>,
    /// The group.
    pub group: i64,
    /// The language, if a person asks.
    pub language: Option<i64>,
    /// Whoever was heard of since then is online.
    pub online_since: DateTime<Utc>,
}

/// The frames in all zones, as columns.
#[derive(Default)]
struct Frames {
    zone: Vec<String>,
    number: Vec<i32>,
    starts: Vec<NaiveDateTime>,
    ends: Vec<NaiveDateTime>,
    unit: Vec<Option<&'static str>>,
    form: Vec<&'static str>,
    label: Vec<String>,
}

impl Frames {
    fn add(&mut self, number: usize, frame: &TimeFrame, zone: Tz, span: Span) {
        let view = frame.view_type.unwrap_or(ViewType::Total);
        self.zone.push(zone.name().to_owned());
        self.number.push(number as i32);
        self.starts.push(span.starts);
        self.ends.push(span.ends);
        self.unit.push(Some(view.word()).filter(|_| view != ViewType::Total));
        self.form.push(match view {
            ViewType::Hour => r#"YYYY-MM-DD"T"HH24:MI"#,
            ViewType::Month => "YYYY-MM",
            ViewType::Total | ViewType::Day | ViewType::Week => "YYYY-MM-DD",
        });
        let word = frame.period.word();
        self.label.push(frame.description.as_deref().unwrap_or(word).to_owned());
    }

    /// From when to when each of so many frames reaches, over all zones.
    fn bounds(&self, frames: usize) -> Vec<(NaiveDateTime, NaiveDateTime)> {
        let of = |number: usize| {
            let mine = (0..self.number.len()).filter(|at| self.number[*at] == number as i32);
            let starts = mine.clone().map(|at| self.starts[at]).min()?;
            Some((starts, mine.map(|at| self.ends[at]).max()?))
        };
        (0..frames).filter_map(of).collect()
    }
}

impl Plan {
    /// The statement. Its rows are JSON objects, as text.
    pub fn statement(&self, asker: &Asker, moment: Moment<'_>) -> QueryBuilder<Postgres> {
        let mut sql = QueryBuilder::new("WITH asker AS (SELECT ");
        // Named once, so that the words of sources can speak of them by their numbers.
        sql.push_bind(asker.groups.clone()).push("::bigint[], ").push_bind(asker.group).push("::bigint, ");
        sql.push_bind(asker.language).push("::bigint, ").push_bind(asker.online_since);
        sql.push("::timestamptz), found AS (SELECT ");
        for (place, output) in self.outputs.iter().enumerate() {
            let expression = output.shows.sql(self.at);
            sql.push(if place > 0 { ", " } else { "" }).push(expression).push(format!(" AS c{place}"));
        }
        if !self.frames.is_empty() {
            sql.push(", f.number");
        }
        sql.push(" FROM (").push(self.table.rows).push(") t");
        for join in self.source.joins {
            sql.push(" ").push(*join);
        }
        self.push_frames(&mut sql, moment);
        for condition in &self.conditions {
            sql.push(" AND ");
            condition.push(&mut sql);
        }
        self.push_groups(&mut sql);
        sql.push(") SELECT json_build_object(");
        for (place, output) in self.outputs.iter().enumerate() {
            sql.push(if place > 0 { ", " } else { "" }).push_bind(output.name.clone());
            sql.push(format!("::text, c{place}"));
        }
        sql.push(")::text FROM found ORDER BY ");
        self.push_order(&mut sql);
        sql.push(" LIMIT ").push_bind(ROWS_MAX);
        sql
    }

    /// Joins the frames that a row lies in, and begins the conditions.
    fn push_frames(&self, sql: &mut QueryBuilder<Postgres>, moment: Moment<'_>) {
        let mut frames = Frames::default();
        // Of a place that is gone no zone is known any more.
        let zones = moment
            .zones
            .iter()
            .copied()
            .chain([Tz::UTC].into_iter().filter(|utc| !moment.zones.contains(utc)));
        for zone in zones {
            for (number, frame) in self.frames.iter().enumerate() {
                if let Some(span) = frame.span(zone, moment.now) {
                    frames.add(number, frame, zone, span);
                }
            }
        }
        let bounds = frames.bounds(self.frames.len());
        if !self.frames.is_empty() {
            sql.push(" JOIN unnest(").push_bind(frames.zone).push("::text[], ").push_bind(frames.number);
            sql.push("::int[], ").push_bind(frames.starts).push("::timestamp[], ").push_bind(frames.ends);
            sql.push("::timestamp[], ").push_bind(frames.unit).push("::text[], ").push_bind(frames.form);
            sql.push("::text[], ").push_bind(frames.label);
            sql.push("::text[]) AS f (zone, number, starts, ends, unit, form, label)");
            // In a zone that was not asked for, as in none, UTC holds: no row drops out.
            let zones: Vec<String> = moment.zones.iter().map(|zone| zone.name().to_owned()).collect();
            sql.push(" ON f.zone = CASE WHEN l.time_zone = ANY(").push_bind(zones);
            sql.push("::text[]) THEN l.time_zone ELSE 'UTC' END AND ")
                .push(self.at)
                .push(" >= f.starts AND ");
            sql.push(self.at).push(" < f.ends");
        }
        sql.push(" WHERE t.user_group = ANY($1)");
        if bounds.is_empty() {
            return;
        }
        // What no frame has in any zone need not be read at all, nor what lies between two of them.
        for (place, (starts, ends)) in bounds.into_iter().enumerate() {
            sql.push(if place == 0 { " AND ((" } else { ") OR (" });
            sql.push(self.at).push(" >= ").push_bind(starts).push(" AND ");
            sql.push(self.at).push(" < ").push_bind(ends);
            if let Some(instant) = self.table.instant {
                let day = Duration::days(1);
                sql.push(" AND ").push(instant).push(" >= ").push_bind((starts - day).and_utc());
                sql.push(" AND ").push(instant).push(" < ").push_bind((ends + day).and_utc());
            }
        }
        sql.push("))");
    }

    /// The places of outputs that rows are grouped by.
    fn grouped(&self) -> impl Iterator<Item = usize> {
        self.outputs.iter().enumerate().filter(|(_, output)| output.shows.groups()).map(|(place, _)| place)
    }

    fn push_groups(&self, sql: &mut QueryBuilder<Postgres>) {
        let mut by: Vec<String> = self.grouped().map(|place| (place + 1).to_string()).collect();
        if !self.frames.is_empty() {
            by.push("f.number".to_owned());
        }
        if !by.is_empty() {
            sql.push(" GROUP BY ").push(by.join(", "));
        }
    }

    /// As was asked for, and always the same.
    fn push_order(&self, sql: &mut QueryBuilder<Postgres>) {
        for (place, down) in &self.order {
            sql.push(format!("c{place}{}, ", if *down { " DESC NULLS LAST" } else { "" }));
        }
        if !self.frames.is_empty() {
            sql.push("number, ");
        }
        let rest: Vec<String> = self.grouped().map(|place| format!("c{place}")).collect();
        sql.push(if rest.is_empty() { "1".to_owned() } else { rest.join(", ") });
    }
}

impl Shows {
    /// Its expression: words from here and from sources alone.
    fn sql(self, at: &'static str) -> String {
        match self {
            Self::Frame => "f.label".to_owned(),
            Self::Period => format!("to_char(date_trunc(f.unit, {at}), f.form)"),
            Self::Group(known) => shown(known, known.sql.to_owned()),
            Self::Count(known) => format!("count(DISTINCT {})", known.sql),
            Self::Min(known) => shown(known, format!("min({})", known.sql)),
            Self::Max(known) => shown(known, format!("max({})", known.sql)),
            Self::Sum(measure) => format!("COALESCE(sum({}), 0)", measure.sql),
            Self::Average(measure) => {
                format!("round(sum({}) / NULLIF(sum(t.quantity), 0)::numeric)", measure.sql)
            }
        }
    }
}

/// Instants are shown in UTC, as everywhere.
fn shown(known: &Column, sql: String) -> String {
    match known.kind {
        Kind::Time => format!(r#"to_char({sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#),
        _ => sql,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{criteria::Criteria, template::ChartType};
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn moment() -> Moment<'static> {
        let zones = &[chrono_tz::Europe::Amsterdam, chrono_tz::America::New_York];
        Moment { now: "2026-11-24T12:00:00Z".parse().unwrap(), zones }
    }

    fn read(criteria: Value) -> Result<Plan, Vec<String>> {
        let criteria: Criteria = serde_json::from_value(criteria).map_err(|error| vec![error.to_string()])?;
        Plan::of(&criteria, moment())
            .map_err(|issues| issues.iter().map(|issue| issue.pointer.to_string()).collect())
    }

    fn sql(plan: &Plan) -> String {
        let asker = Asker { groups: vec![1], group: 1, language: None, online_since: moment().now };
        plan.statement(&asker, moment()).sql().as_str().to_owned()
    }

    fn table(criteria: Value) -> &'static str {
        read(criteria).unwrap().table.rows
    }

    #[test]
    fn every_type_asks_for_something_that_makes_sense() {
        for kind in ChartType::ALL {
            let plan = Plan::of(kind.criteria().unwrap(), moment()).unwrap();
            assert!(!plan.outputs.is_empty() && !kind.name().unwrap().is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn the_coarsest_rows_that_do_are_read() {
        let sales = |expr: &str, frame: Value| json!({"from": "sales", "select": [{"expr": expr}, {"expr": "revenue", "op": "sum"}], "timeFrames": frame});
        let cases = [
            (sales("productName", json!([])), "'month'"),
            (sales("productName", json!([{"type": "this_year", "viewType": "month"}])), "'month'"),
            (sales("productName", json!([{"type": "this_year", "viewType": "week"}])), "'day'"),
            (sales("shift", json!([{"type": "this_year"}])), "'day'"),
            (sales("productName", json!([{"type": "last_30_days"}])), "'day'"),
            (sales("machine", json!([{"type": "this_year", "viewType": "hour"}])), "'hour'"),
            (sales("hour", json!([{"type": "this_year"}])), "'hour'"),
            (sales("machine", json!([{"type": "last_24_hours"}])), "'hour'"),
            (sales("productName", json!([{"type": "last_24_hours"}])), "revenue_transaction_ever"),
            (
                sales(
                    "machine",
                    json!([{"type": "fixed", "startAt": "2026-01-01", "endAt": "2026-01-31T06:30:00"}]),
                ),
                "revenue_transaction_ever",
            ),
            (
                sales("machine", json!([{"type": "this_month"}, {"type": "today", "hoursToSub": 5}])),
                "'total_day'",
            ),
            (sales("city", json!([{"type": "last_12_months"}])), "'total_month'"),
            (sales("weekday", json!([{"type": "this_year"}])), "'total_day'"),
        ];
        for (criteria, rows) in cases {
            assert!(table(criteria.clone()).contains(rows), "{criteria}");
        }
        let row_by_row = sales("productName", json!([{"type": "this_year", "viewType": "hour"}]));
        assert_eq!(read(row_by_row).unwrap_err(), ["/criteria/timeFrames"]);
    }

    #[test]
    fn money_brings_its_currency() {
        let names = |select: Value| -> Vec<String> {
            let plan = read(json!({"from": "payments", "select": select})).unwrap();
            plan.outputs.into_iter().map(|output| output.name).collect()
        };
        assert_eq!(names(json!([{"expr": "revenue", "op": "sum"}])), ["revenue", "currency"]);
        assert_eq!(names(json!([{"expr": "revenue", "op": "avg"}])), ["avgRevenue", "currency"]);
        assert_eq!(
            names(json!([{"expr": "currency", "as": "money"}, {"expr": "revenue", "op": "sum"}])),
            ["money", "revenue"]
        );
        assert_eq!(names(json!([{"expr": "quantity", "op": "sum"}])), ["quantity"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_where_it_stands() {
        let revenue = json!({"expr": "revenue", "op": "sum"});
        let cases = [
            (json!({"select": []}), "/criteria/select"),
            (json!({"select": [{"expr": "password"}]}), "/criteria/select/0/expr"),
            (json!({"select": [{"expr": "t.revenue"}]}), "/criteria/select/0/expr"),
            (json!({"select": [{"expr": "revenue"}]}), "/criteria/select/0/op"),
            (json!({"select": [{"expr": "revenue", "op": "count"}]}), "/criteria/select/0/op"),
            (json!({"select": [{"expr": "machine", "op": "sum"}]}), "/criteria/select/0/op"),
            (json!({"select": [revenue, revenue]}), "/criteria/select/1/as"),
            (json!({"select": [{"expr": "machine", "as": "period"}]}), "/criteria/select/0/as"),
            (json!({"select": [{"expr": "machine", "as": "currency"}]}), "/criteria/select/0/as"),
            (json!({"select": [{"expr": "machine", "as": "a\u{0}"}]}), "/criteria/select/0/as"),
            (json!({"select": [{"expr": "machine", "as": " "}]}), "/criteria/select/0/as"),
            (json!({"where": [{"field": "revenue", "op": ">", "value": "1"}]}), "/criteria/where/0/field"),
            (
                json!({"where": [{"field": "machine", "op": "contains", "value": "1"}]}),
                "/criteria/where/0/op",
            ),
            (
                json!({"where": [{"field": "machine", "op": "=", "value": "1 OR 1"}]}),
                "/criteria/where/0/value",
            ),
            (json!({"where": [{"field": "city", "op": "=", "value": "\u{0}"}]}), "/criteria/where/0/value"),
            (json!({"orderBy": ["revenue desc", "machine"]}), "/criteria/orderBy/1"),
            (json!({"orderBy": ["revenue desc; DROP TABLE machine"]}), "/criteria/orderBy/0"),
            (json!({"timeFrames": [{"type": "today", "column": "seenAt"}]}), "/criteria/timeFrames/0/column"),
            (
                json!({"timeFrames": [{"type": "today", "startAt": "2026-01-01"}]}),
                "/criteria/timeFrames/0/startAt",
            ),
            (
                json!({"timeFrames": [{"type": "today", "hoursToSub": -1}]}),
                "/criteria/timeFrames/0/hoursToSub",
            ),
            (
                json!({"timeFrames": [{"type": "today", "description": ""}]}),
                "/criteria/timeFrames/0/description",
            ),
            (
                json!({"timeFrames": [{"type": "fixed", "startAt": "2026-01-01"}]}),
                "/criteria/timeFrames/0/endAt",
            ),
            (
                json!({"timeFrames": [{"type": "fixed", "startAt": "2026-02-01", "endAt": "2026-01-01"}]}),
                "/criteria/timeFrames/0/endAt",
            ),
            (json!({"timeFrames": vec![json!({"type": "today"}); 13]}), "/criteria/timeFrames"),
        ];
        for (change, pointer) in cases {
            let mut criteria = json!({"from": "sales", "select": [revenue]});
            criteria.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(read(criteria).unwrap_err(), [pointer], "{change}");
        }
    }

    proptest! {
        /// Whatever a client writes where it may write anything, the statement is the same.
        #[test]
        fn no_text_of_a_client_becomes_a_part_of_a_statement(
            name in "[^\\pC]{1,30}", value in "\\PC{0,30}", description in "[^\\pC]{1,30}", number in any::<i64>(),
        ) {
            prop_assume!(![name.trim(), description.trim()].contains(&""));
            prop_assume!(!["n", "period", "timeFrame", "currency", "revenue"].contains(&name.as_str()));
            let asked = |name: &str, value: &str, description: &str, number: i64| {
                read(json!({
                    "from": "sales",
                    "select": [{"expr": "productName", "as": name}, {"expr": "revenue", "op": "sum"}],
                    "where": [
                        {"field": "productName", "op": "contains", "value": value},
                        {"field": "machine", "op": "!", "value": number},
                        {"field": "city", "op": "in", "value": value},
                    ],
                    "orderBy": [format!("{name} desc"), "revenue"],
                    "timeFrames": [
                        {"type": "today", "viewType": "hour", "description": description},
                        {"type": "fixed", "startAt": "2026-11-01", "endAt": "2026-11-02", "viewType": "hour"},
                    ],
                }))
            };
            // Marks piled up and the like are refused: then there is no statement at all.
            if let Ok(plan) = asked(&name, &value, &description, number) {
                let values = if value.contains(',') { "a,b" } else { "a" };
                prop_assert_eq!(sql(&plan), sql(&asked("n", values, "d", 0).unwrap()));
            }
        }

        #[test]
        fn whatever_is_sent_is_read_or_refused(
            expr in "\\PC{0,20}", field in "\\PC{0,20}", op in "\\PC{0,10}", text in ".{0,20}", hours in any::<i64>(),
        ) {
            let _ = read(json!({
                "from": "events",
                "select": [{"expr": expr, "as": text}, {"expr": "quantity", "op": "sum", "as": field}],
                "where": [{"field": field, "op": op, "value": text}],
                "orderBy": [text, expr],
                "timeFrames": [{"type": "fixed", "startAt": text, "endAt": field, "hoursToSub": hours}],
            }));
            let refused = read(json!({"from": "events", "select": [{"expr": expr.clone() + "x'"}]})).unwrap_err();
            prop_assert_eq!(refused, ["/criteria/select/0/expr"]);
        }
    }
}
