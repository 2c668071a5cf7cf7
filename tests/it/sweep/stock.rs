//! What requests can name: things of the caller's own, and the same of a group beside it.

use super::document::{Document, Operation};
use crate::{client::Client, world};
use serde_json::{Map, Value, json};

/// One group's things.
pub struct Stock {
    campaign: i64,
    voucher: String,
    code: String,
    key: i64,
    refresh: String,
    /// Came by mail, to a user who does not sweep; an operation that takes none has none.
    pub token: Option<String>,
}

impl Stock {
    /// Made for one operation: a campaign that is complete, being generated, or was cancelled; a
    /// voucher of it, redeemed where that is to be undone; and a key.
    pub async fn new(operation: &str, client: &Client, group: &str) -> Self {
        let total = i64::from(operation.ends_with("cancel_campaign") || operation == "resume_campaign");
        let draft = json!({"name": "Spring", "totalVouchers": total, "voucherValue": 500, "type": "gift"});
        let campaign = client.post("/campaign", draft).await.expect(201)["id"].as_i64().unwrap();
        if operation == "resume_campaign" {
            client.post(&format!("/campaign/{campaign}/cancel"), json!({})).await;
        }
        let draft = json!({"campaign": campaign, "type": "gift", "value": 500});
        let voucher = client.post("/voucher", draft).await.expect(201);
        let text = |name: &str| voucher[name].as_str().unwrap().to_owned();
        let (voucher, code) = (text("id"), text("code"));
        if operation == "roll_back_voucher" {
            let order = json!({"id": "order-1", "amount": 10});
            let body = json!({"deviceId": format!("vm-{group}-1"), "order": order, "demand": {"amount": 10}});
            let redeemed = client.post(&format!("/voucher/{code}/redeem"), body).await.expect(200);
            assert_eq!(redeemed["redeemed"], true, "{redeemed}");
        }
        let key = client
            .post("/apikey", json!({"name": "till", "scopes": ["voucher.redeem"]}))
            .await
            .expect(201)["id"]
            .as_i64()
            .unwrap();
        let login = json!({"username": group, "password": world::PASSWORD});
        let session = client.post("/auth/login", login).await.expect(201);
        let refresh = session["refresh_token"].as_str().unwrap().to_owned();
        Self { campaign, voucher, code, key, refresh, token: None }
    }

    /// The path of an operation, with something that is there for the parameter.
    pub fn path(&self, operation: &Operation) -> String {
        self.parameter(operation).map_or(operation.path.clone(), |value| with(operation, &value))
    }

    /// What stands in for an operation's path parameter, if it has one.
    pub fn parameter(&self, operation: &Operation) -> Option<String> {
        let (_, rest) = operation.path.split_once('{')?;
        let area = operation.path.split('/').nth(1).unwrap();
        Some(match (area, rest.split_once('}').unwrap().0) {
            ("campaign", "id") => self.campaign.to_string(),
            ("apikey", "id") => self.key.to_string(),
            ("voucher", "id") => self.voucher.clone(),
            ("voucher", "code") => self.code.clone(),
            ("docs", "type") => "invalid".to_owned(),
            unknown => panic!("{unknown:?}: the sweep does not know what this parameter names"),
        })
    }

    /// A body that an operation accepts, with every field that goes with the others.
    pub fn sample(&self, document: &Document, operation: &Operation) -> Value {
        self.of(document, &operation.id, operation.body.as_ref().unwrap(), "")
    }

    fn of(&self, document: &Document, operation: &str, schema: &Value, name: &str) -> Value {
        if let Some(known) = self.known(operation, name) {
            return known;
        }
        let schema = document.resolve(schema);
        if let Some(word) = schema["enum"].get(0) {
            return word.clone();
        }
        let kind = schema["type"].as_str().or(schema["type"][0].as_str()).unwrap();
        match kind {
            "integer" | "number" => json!(schema["minimum"].as_i64().unwrap_or(0).max(10)),
            "string" => json!("text"),
            "array" => json!([self.of(document, operation, &schema["items"], "")]),
            "object" => {
                let properties = schema["properties"].as_object().unwrap().iter();
                let wanted = properties.filter(|(name, _)| !alone(operation, name));
                let values =
                    wanted.map(|(name, schema)| (name.clone(), self.of(document, operation, schema, name)));
                Value::Object(values.collect::<Map<_, _>>())
            }
            kind => panic!("the sweep does not know a sample of type {kind}"),
        }
    }

    /// What a schema can't say: names of what is there, and forms.
    fn known(&self, operation: &str, name: &str) -> Option<Value> {
        Some(match name {
            "campaign" => json!(self.campaign),
            "machine" => json!(21),
            "deviceId" => json!("vm-a-1"),
            "refresh_token" => json!(self.refresh),
            "token" => json!(self.token.as_ref()?),
            "email" => json!("a1@example.com"),
            "username" => json!("a"),
            "password" => json!(world::PASSWORD),
            "totalVouchers" => json!(1),
            "startsOn" => json!("2026-01-01"),
            "expiresOn" => json!("2090-12-31"),
            "timeZone" => json!("Europe/Amsterdam"),
            "currency" => json!("EUR"),
            "prefix" => json!("AB"),
            "code" => json!("OWN-1"),
            "voucherStyle" | "style" => json!("{}"),
            "scopes" => json!(["voucher.redeem"]),
            "type" if operation.ends_with("e_voucher") => json!("gift"),
            "id" => json!("order-1"),
            _ => return None,
        })
    }

    /// What another group has under the name of a field.
    pub fn foreign(&self, name: &str) -> Option<Value> {
        match name {
            "campaign" => Some(json!(self.campaign)),
            "machine" => Some(json!(41)),
            "deviceId" => Some(json!("vm-b-1")),
            _ => None,
        }
    }
}

/// Fields that do not go with others of the sample.
fn alone(operation: &str, name: &str) -> bool {
    match operation {
        "create_voucher" => name == "count",
        "replace_campaign_validation_rules" => name == "id",
        _ => false,
    }
}

/// The path of an operation with this for its parameter.
pub fn with(operation: &Operation, value: &str) -> String {
    let (before, rest) = operation.path.split_once('{').unwrap();
    format!("{before}{value}{}", rest.split_once('}').unwrap().1)
}
