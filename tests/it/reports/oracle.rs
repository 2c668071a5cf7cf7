//! Every report, worked out row by row.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use sqlx::{FromRow, PgPool};
use std::collections::BTreeMap;

/// What every row says.
#[derive(FromRow)]
struct Scene {
    machine: i64,
    location: i64,
    user_group: i64,
    shift: Option<i64>,
    occurred_at: DateTime<Utc>,
    time_zone: String,
    /// What the clock at the place showed: worked out here, not by Postgres.
    #[sqlx(skip)]
    shown: NaiveDateTime,
}

impl Scene {
    fn show(&mut self) {
        let zone: Tz = self.time_zone.parse().unwrap();
        self.shown = self.occurred_at.with_timezone(&zone).naive_local();
    }
}

#[derive(FromRow)]
struct Sale {
    #[sqlx(flatten)]
    scene: Scene,
    product: Option<i64>,
    name: String,
    price: i64,
    currency: String,
}

#[derive(FromRow)]
struct Payment {
    #[sqlx(flatten)]
    scene: Scene,
    method: String,
    r#type: String,
    price: i64,
    currency: String,
    exclude: bool,
    report_group: Option<String>,
}

#[derive(FromRow)]
struct Event {
    #[sqlx(flatten)]
    scene: Scene,
    code: String,
    error_identity: Option<i64>,
    r#type: i16,
    duration: Option<i64>,
}

/// All rows that there are.
pub struct Oracle {
    sales: Vec<Sale>,
    payments: Vec<Payment>,
    events: Vec<Event>,
}

/// What a report is asked for: `None` narrows nothing down.
pub struct Scope {
    pub groups: Vec<i64>,
    pub machines: Option<Vec<i64>>,
    pub locations: Option<Vec<i64>>,
    pub start: NaiveDateTime,
    pub end: NaiveDateTime,
    /// What error identity 1 is called.
    pub jam: &'static str,
}

impl Scope {
    fn has(&self, scene: &Scene) -> bool {
        let named = |ids: &Option<Vec<i64>>, id| ids.as_ref().is_none_or(|ids| ids.contains(&id));
        self.groups.contains(&scene.user_group)
            && named(&self.machines, scene.machine)
            && named(&self.locations, scene.location)
            && scene.shown >= self.start
            && scene.shown < self.end + chrono::Duration::seconds(1)
    }
}

impl Oracle {
    pub async fn of(db: &PgPool) -> Self {
        let sales = sqlx::query_as("SELECT * FROM revenue_transaction_ever").fetch_all(db);
        let payments = sqlx::query_as("SELECT * FROM payment_transaction_ever").fetch_all(db);
        let events = sqlx::query_as("SELECT *, NULL::bigint AS shift FROM machine_log_ever").fetch_all(db);
        let mut oracle = Self {
            sales: sales.await.unwrap(),
            payments: payments.await.unwrap(),
            events: events.await.unwrap(),
        };
        let sales = oracle.sales.iter_mut().map(|row: &mut Sale| &mut row.scene);
        let payments = oracle.payments.iter_mut().map(|row: &mut Payment| &mut row.scene);
        let events = oracle.events.iter_mut().map(|row: &mut Event| &mut row.scene);
        for scene in sales.chain(payments).chain(events) {
            scene.show();
        }
        oracle
    }

    /// The rows of a report, in no order.
    pub fn rows(&self, report: &str, scope: &Scope) -> Vec<Value> {
        let sales = self.sales.iter().filter(|sale| scope.has(&sale.scene));
        let payments = self.payments.iter().filter(|payment| !payment.exclude && scope.has(&payment.scene));
        let events = self.events.iter().filter(|event| event.r#type > 1 && scope.has(&event.scene));
        match report {
            "revenue" => sums(
                "revenue",
                sales.map(|sale| {
                    let [name, internal_ref, ..] = product(sale);
                    let key = json!({"productId": sale.product, "name": name, "internalRef": internal_ref,
                                     "currency": sale.currency});
                    (key, sale.price)
                }),
            ),
            "shiftproducts" => {
                let mut rows = sums(
                    "revenue",
                    sales.map(|sale| {
                        let [name, _, barcode, report_name] = product(sale);
                        let key = json!({"shift": sale.scene.shift, "productId": sale.product, "name": name,
                                         "barcode": barcode, "reportName": report_name, "currency": sale.currency});
                        (key, sale.price)
                    }),
                );
                for row in &mut rows {
                    row["sum"] = row["revenue"].clone();
                }
                rows
            }
            "payments" => sums(
                "revenue",
                payments.map(|paid| {
                    let key = json!({"type": paid.r#type, "reportGroup": paid.report_group,
                                     "currency": paid.currency});
                    (key, paid.price)
                }),
            ),
            "shiftpayments" => sums(
                "revenue",
                payments.map(|paid| {
                    let place = ["At root", "At a", "At a1", "At b"][paid.scene.location as usize - 1];
                    let key = json!({"location": place, "payment": paid.method, "type": paid.r#type,
                                     "reportGroup": paid.report_group, "shift": paid.scene.shift,
                                     "currency": paid.currency});
                    (key, paid.price)
                }),
            ),
            "issues" => sums("duration", events.map(|event| (event.key(scope), event.duration.unwrap_or(0)))),
            _ => {
                let alarms = events.filter(|event| event.r#type == 3);
                let mut rows = sums("duration", alarms.map(|event| (event.key(scope), 0)));
                for row in &mut rows {
                    row.as_object_mut().unwrap().remove("duration");
                }
                rows
            }
        }
    }
}

impl Event {
    fn key(&self, scope: &Scope) -> Value {
        let error = if self.error_identity == Some(1) { scope.jam } else { &self.code };
        json!({"code": self.code, "erroridentity": self.error_identity, "error": error})
    }
}

/// Name, reference, barcode and name in reports of what was sold.
fn product(sale: &Sale) -> [Option<&str>; 4] {
    match sale.product {
        Some(901) => [Some("Espresso"), Some("Coffee"), Some("4006381333931"), Some("Coffee")],
        Some(902) => [Some("Mocha"), None, None, None],
        _ => [Some(&sale.name), None, None, None],
    }
}

/// How many there are of each key, and what they come to.
fn sums(what: &str, facts: impl Iterator<Item = (Value, i64)>) -> Vec<Value> {
    let mut sums: BTreeMap<String, (Value, i64, i64)> = BTreeMap::new();
    for (key, amount) in facts {
        let sum = sums.entry(key.to_string()).or_insert((key, 0, 0));
        sum.1 += 1;
        sum.2 += amount;
    }
    let rows = sums.into_values().map(|(mut row, quantity, amount)| {
        row["quantity"] = quantity.into();
        row[what] = amount.into();
        row
    });
    rows.collect()
}
