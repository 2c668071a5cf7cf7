//! One of each thing that the reference speaks of, by the name that paths and bodies have for it.

use crate::{
    app::TestApp,
    client::Client,
    pair::becomes,
    world::{self, PASSWORD},
};
use axum::{body::Body, http::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{Duration, SecondsFormat, Utc};
use scrip::{
    identity::recovery::{self, Purpose},
    telemetry::booking::book,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Mutex};

/// The things, and who works with them.
pub struct World {
    test: TestApp,
    user: Client,
    nobody: Client,
    gateway: Client,
    things: BTreeMap<&'static str, Value>,
    flaws: Mutex<Vec<String>>,
}

/// The things that are created, in this order: a name, the path, and the body.
#[expect(clippy::too_many_lines, reason = "a list")]
fn made() -> Vec<(&'static str, &'static str, Value)> {
    let criteria = json!({
        "select": [{"expr": "method"}, {"expr": "quantity", "op": "sum", "as": "n"}], "from": "payments",
        "where": [{"field": "method", "op": "=", "value": "cash"}], "orderBy": ["n desc"],
        "timeFrames": [{"type": "fixed", "viewType": "day", "startAt": "$before", "endAt": "$today", "hoursToSub": 0}],
    });
    vec![
        ("language", "/language", json!({"name": "Deutsch", "language": "de", "locale": "de-DE"})),
        ("translation", "/translation", json!({"key": "jam", "language": 0, "value": "Stau"})),
        ("machinetype", "/machinetype", json!({"name": "Hot drinks"})),
        ("manufacturer", "/manufacturer", json!({"name": "Maker & Co", "machineTypes": [0]})),
        (
            "errorprofile",
            "/errorprofile",
            json!({"name": "Of hot drinks", "machineType": 0, "manufacturer": 0}),
        ),
        ("erroridentity", "/erroridentity", json!({"machineType": 0, "error": "water_low"})),
        ("errorcode", "/errorcode", json!({"errorIdentity": 0, "errorProfile": 0, "code": "E42"})),
        ("otheridentity", "/erroridentity", json!({"machineType": 0, "error": "too_hot"})),
        ("image", "/image", json!({"thumbnail": "%picture", "original": "%picture"})),
        (
            "machinemodel",
            "/machinemodel",
            json!({"name": "M1", "manufacturer": 0, "errorProfile": 0, "machineType": 0, "image": 0}),
        ),
        (
            "location",
            "/location",
            json!({"name": "Centraal", "address": "Stationsplein 1", "postcode": "1012 AB", "city": "Amsterdam",
                "country": "NL", "latitude": 52.379, "longitude": 4.9, "placeId": "p-1"}),
        ),
        ("locationgroup", "/locationgroup", json!({"name": "Stations", "locations": [0]})),
        (
            "transactionprofile",
            "/transactionprofile",
            json!({"reportRule": "first_letter", "paymentTypesMap": {}}),
        ),
        (
            "machine",
            "/machine",
            json!({"name": "Hall", "hostname": "%hostname", "gateway": 77001, "location": 0, "machineModel": 0,
                "machineType": 0, "manufacturer": 0, "currency": 978, "debtor": 10001, "tag": "north", "notes": "By the lift",
                "virtualPrices": true, "active": true, "transactionProfile": 0}),
        ),
        ("machinegroup", "/machinegroup", json!({"name": "Hall", "machines": [0]})),
        (
            "spare",
            "/machine",
            json!({"name": "Store", "hostname": "ref-2", "location": 0, "machineModel": 0,
            "machineType": 0, "manufacturer": 0, "currency": 978}),
        ),
        (
            "product",
            "/machine/{machine}/product",
            json!({"name": "Espresso", "plu": 5, "price": 150, "reportName": "Coffee", "barcode": "4006381333931"}),
        ),
        ("other", "/machine/{machine}/product", json!({"name": "Tea", "plu": 6, "price": 120})),
        (
            "productflavour",
            "/machine/{machine}/productflavour",
            json!({"name": "Vanilla", "reportName": "Vanilla", "price": 30, "plu": 1}),
        ),
        (
            "productextra",
            "/machine/{machine}/productextra",
            json!({"name": "Cup", "reportName": "Cup", "price": 20, "plu": 1}),
        ),
        (
            "machineconfigtemplate",
            "/machineconfigtemplate",
            json!({"name": "Hall", "config": "a=1", "mode": "ap", "ssid": "hall", "encryption": "wpa2",
                "encryptionKey": "correct horse", "apn": "m2m", "sharing": "wlan"}),
        ),
        (
            "usergroup",
            "/usergroup",
            json!({"name": "Below", "parent": "$owngroup", "locations": [0], "locationGroups": [0]}),
        ),
        (
            "user",
            "/user",
            json!({"username": "ann", "email": "ann@example.com", "userGroup": "$owngroup", "language": 0}),
        ),
        ("alertgroup", "/alertgroup", json!({"name": "Technicians"})),
        (
            "alertrecipient",
            "/alertrecipient",
            json!({"name": "Ann", "email": "ann@example.com", "language": 0, "alertGroup": 0, "active": true}),
        ),
        (
            "alertobserver",
            "/alertobserver",
            json!({"name": "No water", "type": "event", "observer": "occurrence", "timer": 30, "timerType": 1,
                "alertGroup": 0, "error": "$erroridentity", "occurs": 1, "machines": [0], "openingHours": true}),
        ),
        (
            "payments",
            "/alertobserver",
            json!({"name": "No cash", "type": "transaction", "observer": "non_occurrence", "timer": 2, "timerType": 3,
                "alertGroup": 0, "paymentMethod": "cash", "machines": [0]}),
        ),
        (
            "report",
            "/report",
            json!({"name": "Year", "period1": {"startDate": "2026-01-01 00:00:00", "endDate": "2026-12-31 23:59:59", "type": "fixed date"}, "locationGroup": [0], "locations": [0],
            "machineGroups": [0], "machines": [0], "machineModels": [0], "machineTypes": [0], "manufactures": ["$manufacturer"]}),
        ),
        ("userreport", "/userreport", json!({"name": "Week"})),
        (
            "chart",
            "/userreport/{userreport}/chart",
            json!({"type": "payment_types", "view": "pie", "criteria": criteria}),
        ),
        ("dashboard", "/dashboard", json!({"name": "Morning"})),
        ("widget", "/dashboard/{dashboard}/widget", json!({"name": "Today", "widgetType": 1})),
        ("integration", "/integration", json!({"externalId": 1, "name": "Books", "description": "Sales"})),
        (
            "campaign",
            "/campaign",
            json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 500, "type": "dynamic", "redemptionLimit": 5,
                "resetFrequency": "day", "expiresOn": "2030-12-31", "prefix": "SPR", "voucherText1": "Free coffee",
                "voucherText2": "Any size", "voucherText3": "Here", "voucherText4": "Today",
                "voucherStyle": "{\"voucherText1Lbl\": {\"fontSize\": \"28px\"}}"}),
        ),
        (
            "voucher",
            "/voucher",
            json!({"campaign": 0, "type": "discount", "value": 150, "code": "COFFEE", "prefix": "SPR", "redemptionLimit": 9,
                "resetFrequency": "day", "expiresOn": "2030-12-31", "text1": "1", "text2": "2", "text3": "3", "text4": "4",
                "style": "{\"voucherText1Lbl\": {\"fontSize\": \"24px\"}}"}),
        ),
        ("fresh", "/voucher", json!({"campaign": 0, "type": "discount", "value": 150})),
    ]
}

impl World {
    /// Makes all of it.
    pub async fn new() -> Self {
        let test = TestApp::new().await;
        let session = test.session("a").await;
        let user = test.bearer(session["access_token"].as_str().unwrap());
        let own = test.session("a").await;
        let picture = STANDARD.encode(include_bytes!("dot.png"));
        let now = test.app.clock.now();
        let whole = |at: chrono::DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let things = BTreeMap::from([
            ("owngroup", json!(world::A)),
            ("hostname", json!("ref-1")),
            ("username", json!("a")),
            ("password", json!(PASSWORD)),
            ("refresh", own["refresh_token"].clone()),
            ("picture", json!(picture)),
            ("now", json!(whole(now))),
            ("ago", json!(whole(now - Duration::hours(1)))),
            ("today", json!(now.format("%Y-%m-%d").to_string())),
            ("yesterday", json!((now - Duration::days(1)).format("%Y-%m-%d").to_string())),
            ("currency", json!(978)),
            ("charttemplate", json!(1)),
            ("before", json!((now - Duration::days(30)).format("%Y-%m-%d").to_string())),
        ]);
        let (nobody, gateway) = (test.anyone(), test.anyone());
        let mut world = Self { test, user, nobody, gateway, things, flaws: Mutex::default() };
        for (name, path, draft) in made() {
            let (path, draft) = (world.path(path, &Map::new()), world.body(draft, &Map::new()));
            let thing = world.told("POST", &path, draft).await;
            world.things.insert(name, thing["id"].clone());
            if name == "voucher" {
                world.things.insert("code", thing["code"].clone());
            }
        }
        world.happen().await;
        world
    }

    /// The doings of machines, people and the server itself.
    async fn happen(&mut self) {
        let key = world::key(&self.test.app.db, world::A, Some("ref-1"), &["gateway"]).await;
        self.gateway = self.test.bearer(key);
        self.told(
            "PUT",
            "/machineconfig",
            json!({"machine": 0, "config": "a=1", "mode": "ap", "ssid": "hall", "encryption": "wpa2",
                "encryptionKey": "correct horse", "apn": "m2m", "sharing": "wlan"}),
        )
        .await;
        self.told("POST", "/shift", json!({"location": 0})).await;
        let payment = json!({"remote": 71, "occurredAt": "$ago", "method": "virtual", "price": 150});
        let sale = json!({"remote": 70, "occurredAt": "$ago", "price": 150, "product": 5, "name": "Espresso", "token": "t-1",
            "salestype": 1, "pricelist": 1, "currency": "EUR", "paymenttransactions": [payment]});
        self.told("POST", "/machine/%hostname/revenuetransactions", json!([sale])).await;
        let event = json!({"remote": 72, "code": "E42", "type": 2, "occurredAt": "$ago", "extraData": "{\"uptime\": 67}"});
        let alarm = json!({"remote": 73, "code": "E42", "type": 3, "occurredAt": "$ago", "duration": 60, "resolvedAt": "$now"});
        self.told("POST", "/machine/%hostname/logs", json!([event, alarm])).await;
        self.told("POST", "/shift", json!({"location": 0})).await;
        for (name, path) in [
            ("revenuetransaction", "/revenuetransaction"),
            ("paymenttransaction", "/paymenttransaction"),
            ("log", "/log"),
        ] {
            let rows = self
                .user
                .get(&self.words(&format!("{path}?where[machine]=%machine&limit=1")))
                .await
                .expect(200);
            self.things.insert(name, rows[0]["id"].clone());
        }
        self.told(
            "PUT",
            "/campaign/%campaign/validationrules",
            json!([{"field": "machineType", "value": "%machinetype"}]),
        )
        .await;
        let rules = self.user.get(&self.words("/campaign/%campaign/validationrules")).await.expect(200);
        self.things.insert("rule", rules[0]["id"].clone());
        self.told(
            "POST",
            "/voucher/%code/redeem",
            json!({"deviceId": "$hostname", "order": {"id": "o-1", "amount": 200, "items": []}}),
        )
        .await;
        self.told("POST", "/voucher/%code/validate", json!({"deviceId": "$hostname", "lockDuration": 60}))
            .await;
        self.told("POST", "/voucher/%fresh/pdf", json!({})).await;
        while book(&self.test.app).await.unwrap() > 0 {}
        self.behind_the_scenes().await;
        let logs = self.words("/voucher/%voucher/logs");
        let user = self.user.clone();
        let written =
            async || user.get(&logs).await.expect(200).as_array().is_some_and(|entries| entries.len() > 1);
        becomes("the voucher log is written", written).await;
        for (name, purpose) in [("activation", Purpose::Activation), ("reset", Purpose::Reset)] {
            let body = json!({"username": name, "email": format!("{name}@example.com"), "userGroup": "$owngroup", "language": 0});
            let id = self.told("POST", "/user", body).await["id"].as_i64().unwrap_or_default();
            let app = &self.test.app;
            let mut db = app.db.acquire().await.unwrap();
            let token = recovery::issue(&mut db, id, purpose, &app.config, app.clock.now()).await.unwrap();
            self.things.insert(name, json!(token));
        }
    }

    /// Things that no client can bring about at once: time, and others' endpoints.
    async fn behind_the_scenes(&self) {
        let db = &self.test.app.db;
        for sql in [
            "UPDATE alert_watch SET firing = true WHERE alert_observer = $1",
            "UPDATE alert_observer SET sent_at = now() WHERE id = $1",
        ] {
            sqlx::query(sql).bind(self.things["alertobserver"].as_i64()).execute(db).await.unwrap();
        }
        sqlx::query(
            "INSERT INTO delivery (integration, event, lane, machine, revenue_transaction, occurred_at, state, message, details)
             VALUES ($1, 'transaction', $2, $2, $3, now(), 'failed', '500', 'no')",
        )
        .bind(self.things["integration"].as_i64())
        .bind(self.things["machine"].as_i64())
        .bind(self.things["revenuetransaction"].as_i64())
        .execute(db)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO machine_presence (machine, seen_at, offline_since)
             VALUES ($1, now() - interval '2 hours', now() - interval '1 hour')
             ON CONFLICT (machine) DO UPDATE SET seen_at = excluded.seen_at, offline_since = excluded.offline_since",
        )
        .bind(self.things["spare"].as_i64())
        .execute(db)
        .await
        .unwrap();
    }

    /// Sends something that has to succeed.
    async fn told(&self, method: &str, path: &str, body: Value) -> Value {
        let body = self.body(body, &Map::new());
        let request = Request::builder()
            .method(method)
            .uri(self.words(path))
            .header("content-type", "application/json");
        let reply = self.user.send_raw(request.body(Body::from(body.to_string())).unwrap()).await;
        if !reply.status.is_success() {
            let flaw = format!("{method} {path}: {} {}", reply.status, reply.text());
            self.flaws.lock().unwrap().push(flaw);
            return Value::Null;
        }
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    /// The things that could not be made.
    pub fn flaws(&self) -> Vec<String> {
        self.flaws.lock().unwrap().clone()
    }

    /// The caller of an operation.
    pub fn caller(&self, name: Option<&str>) -> &Client {
        match name {
            None => &self.user,
            Some("nobody") => &self.nobody,
            Some("gateway") => &self.gateway,
            Some(other) => panic!("nobody is called {other}"),
        }
    }

    /// A path with things for its parameters: `{id}` is the thing that its path is about.
    pub fn path(&self, path: &str, with: &Map<String, Value>) -> String {
        let mut before = "";
        let mut filled = Vec::new();
        for part in path.split('/') {
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
                filled.push(part.to_owned());
                before = part;
                continue;
            };
            let value = match with.get(name) {
                Some(value) => self.value(value),
                None if ["id", "parentid"].contains(&name) => self.thing(before),
                None => self.thing(&name.to_lowercase()),
            };
            filled.push(text(&value));
        }
        filled.join("/")
    }

    /// A body with things for its placeholders.
    pub fn body(&self, body: Value, with: &Map<String, Value>) -> Value {
        self.filled("", "", body, with)
    }

    fn filled(&self, pointer: &str, name: &str, value: Value, with: &Map<String, Value>) -> Value {
        if let Some(given) = with.get(pointer).filter(|_| !pointer.is_empty()) {
            return self.filled("", name, self.value(given), &Map::new());
        }
        match value {
            Value::Object(fields) => {
                let each = fields.into_iter();
                let mut filled: Map<String, Value> = each
                    .map(|(name, value)| {
                        let value = self.filled(&format!("{pointer}/{name}"), &name, value, with);
                        (name, value)
                    })
                    .collect();
                // A value for something that the example leaves out.
                for (place, given) in with {
                    if let Some(name) =
                        place.strip_prefix(&format!("{pointer}/")).filter(|name| !name.contains('/'))
                        && !filled.contains_key(name)
                        && place.starts_with('/')
                    {
                        filled.insert(name.to_owned(), self.filled("", name, self.value(given), &Map::new()));
                    }
                }
                Value::Object(filled)
            }
            Value::Array(values) => {
                let each = values.into_iter().enumerate();
                each.map(|(place, value)| self.filled(&format!("{pointer}/{place}"), name, value, with))
                    .collect()
            }
            Value::Number(number) if number.as_i64() == Some(0) => {
                let name = name.to_lowercase();
                let thing =
                    self.things.get(name.as_str()).or_else(|| self.things.get(name.trim_end_matches('s')));
                thing.cloned().unwrap_or(Value::Number(number))
            }
            Value::String(_) => self.value(&value),
            value => value,
        }
    }

    /// `$name` is a thing, `%name` its text.
    fn value(&self, value: &Value) -> Value {
        match value.as_str() {
            Some(word) if word.starts_with('$') => self.thing(&word[1..]),
            Some(word) if word.starts_with('%') => json!(text(&self.thing(&word[1..]))),
            _ => value.clone(),
        }
    }

    /// A text with things for each `%name` in it.
    pub fn words(&self, words: &str) -> String {
        let mut parts = words.split('%');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(part.len());
            match self.things.get(&part[..end]) {
                Some(thing) => filled.extend([&text(thing), &part[end..]]),
                None => filled.extend(["%", part]),
            }
        }
        filled
    }

    fn thing(&self, name: &str) -> Value {
        self.things.get(name).unwrap_or_else(|| panic!("there is no {name} in this world")).clone()
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
