//! Bodies that are accepted, made from the schemas of the document.

use super::{
    FRESH,
    document::{Document, Operation},
    stock::Stock,
};
use crate::world;
use chrono::{Days, NaiveDate};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

impl Stock {
    /// A body that an operation accepts, with every field that goes with the others.
    pub fn sample(&self, document: &Document, operation: &Operation) -> Value {
        self.of_schema(document, operation, operation.body.as_ref().unwrap(), "")
    }

    fn of_schema(&self, document: &Document, operation: &Operation, schema: &Value, name: &str) -> Value {
        if let Some(known) = self.known(operation, name) {
            return known;
        }
        let schema = document.resolve(schema);
        let kind = schema["type"].as_str().or(schema["type"][0].as_str());
        let kind = kind.unwrap_or_else(|| panic!("{}: {name} has no type: {schema}", operation.id));
        if let Some(target) = operation.target(name) {
            match kind {
                "integer" => return json!(self.named(target)),
                "array" => return json!([self.named(target)]),
                _ => {}
            }
        }
        if let Some(word) = schema["enum"].get(0).or(schema["examples"].get(0)) {
            return word.clone();
        }
        match kind {
            "integer" | "number" => json!(schema["minimum"].as_i64().unwrap_or(0).max(10)),
            "string" => json!("text"),
            "boolean" => json!(true),
            "array" => json!([self.of_schema(document, operation, &schema["items"], "")]),
            "object" => {
                let properties = schema["properties"].as_object().unwrap().iter();
                let wanted =
                    properties.filter(|(name, schema)| !alone(operation, name) && schema["readOnly"] != true);
                let values = wanted
                    .map(|(name, schema)| (name.clone(), self.of_schema(document, operation, schema, name)));
                Value::Object(values.collect::<Map<_, _>>())
            }
            kind => panic!("the sweep does not know a sample of type {kind}"),
        }
    }

    /// What a schema can't say: names of what is there, forms, and what nothing else may be called.
    fn known(&self, operation: &Operation, name: &str) -> Option<Value> {
        let is = |area: &str| operation.area == area;
        Some(match name {
            "campaign" => json!(self.campaign()?),
            "deviceId" => json!(self.hostname()),
            "token" => json!(self.mailed.as_ref()?),
            "refresh_token" => json!(self.refresh),
            "username" if is("auth") => json!(self.group),
            "username" => json!(format!("user-{FRESH}")),
            "email" => json!(format!("mail-{FRESH}@example.com")),
            "password" => json!(world::PASSWORD),
            "hostname" => json!(format!("vm-{FRESH}")),
            "gateway" | "plu" | "externalId" | "remote" => json!(FRESH.parse::<i64>().unwrap()),
            "locale" => json!(format!("nl-{FRESH}")),
            "key" => json!(format!("text-{FRESH}")),
            "error" if is("erroridentity") => json!(format!("text-{FRESH}")),
            "code" if is("errorcode") => json!(format!("E{FRESH}")),
            "code" => json!(format!("OWN-{FRESH}")),
            "version" if is("telemetry") => json!("2.4.1"),
            "totalVouchers" | "version" => json!(1),
            "startsOn" => json!("2026-01-01"),
            "expiresOn" => json!("2090-12-31"),
            "expiresAt" => json!("2090-12-31T00:00:00Z"),
            "timeZone" => json!("Europe/Amsterdam"),
            "currency" if is("campaign") || is("voucher") => json!("EUR"),
            "prefix" => json!("AB"),
            "voucherStyle" | "style" => json!("{}"),
            "scopes" => json!(["voucher.redeem"]),
            "type" if operation.id.ends_with("e_voucher") => json!("gift"),
            "id" => json!("order-1"),
            "ids" => json!([self.machine()]),
            "url" if is("integration") => json!("https://example.com/hook"),
            "rate" => json!(0.5),
            "extraData" => json!("text"),
            "name" if ["integration", "alertgroup"].contains(&operation.area.as_str()) => {
                json!(format!("name-{FRESH}"))
            }
            "validFrom" => json!(another_day()),
            "period1" | "period2" => {
                json!({"startDate": "2026-01-01 00:00:00", "endDate": "2026-01-31 23:59:59"})
            }
            "criteria" => json!({"from": "sales", "select": [{"expr": "revenue", "op": "sum"}]}),
            "report" if is("chart") => self.made("/userreport"),
            "dashboard" => self.made("/dashboard"),
            "reportType" => json!("userreport"),
            "createAt" | "updateAt" | "occurredAt" | "resolvedAt" => json!("2026-01-01T00:00:00Z"),
            "from" if is("integration") => json!("2026-01-01T00:00:00Z"),
            "to" if is("integration") => json!("2026-01-02T00:00:00Z"),
            "params" if operation.id == "send_command" => json!([1]),
            "params" => json!([]),
            _ => return None,
        })
    }

    /// What another group has under the name of a field: what nobody else can name there.
    pub fn foreign(&self, operation: &Operation, field: &str) -> Option<Value> {
        match field {
            "campaign" => Some(json!(self.campaign())),
            "deviceId" => Some(json!(self.hostname())),
            "ids" => Some(json!(self.machine())),
            _ => operation.target(field).and_then(|target| self.own(target)).map(Value::from),
        }
    }
}

/// A day that no other request names.
fn another_day() -> NaiveDate {
    static LAST: AtomicU32 = AtomicU32::new(0);
    NaiveDate::default() + Days::new(LAST.fetch_add(1, Ordering::Relaxed).into())
}

/// Fields that do not go with others of the sample.
fn alone(operation: &Operation, name: &str) -> bool {
    match operation.id.as_str() {
        "create_voucher" => name == "count",
        "replace_campaign_validation_rules" | "update_campaign" | "update_chart" => name == "id",
        "replace_opening_hours" => name == "from",
        // It would not be found there any more.
        "update_product" => ["id", "machine"].contains(&name),
        "create_alert_observer" | "update_alert_observer" => ["id", "paymentMethod"].contains(&name),
        "replay_integration" => name == "ids",
        // The path says which one.
        _ => name == "id" && operation.spec().is_some(),
    }
}
