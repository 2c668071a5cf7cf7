//! What requests can name: things of the caller's own, and the same of a group beside it.

use super::document::{Document, Operation, Parameter};
use crate::{
    client::{Client, Reply},
    sweep::{FRESH, fresh},
    world,
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use scrip::{
    app::App,
    identity::recovery::{self, Purpose},
    resource::{Reach, Spec},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// One group's things.
pub struct Stock {
    /// What the group is called; so is its user.
    pub group: &'static str,
    /// Its id.
    pub group_id: i64,
    /// A token that can be used once.
    pub refresh: String,
    /// A token that came by mail, where one is needed.
    pub mailed: Option<String>,
    /// What was created, by where: the answers to it.
    made: HashMap<String, Value>,
}

impl Stock {
    /// Made for one operation: what its path and its body name. A campaign is complete, being
    /// generated, or was cancelled; a voucher was redeemed where that is to be undone.
    pub async fn of(
        document: &Document,
        operation: &Operation,
        client: &Client,
        group: &'static str,
    ) -> Self {
        let mut stock = Self::empty(client, group).await;
        let total = i64::from(operation.id.ends_with("cancel_campaign") || operation.id == "resume_campaign");
        if ["campaign", "voucher"].contains(&operation.area.as_str()) {
            stock.make_vouchers(client, total).await;
        }
        match operation.id.as_str() {
            "resume_campaign" => {
                client.post(&format!("/campaign/{}/cancel", stock.made["/campaign"]["id"]), json!({})).await;
            }
            "roll_back_voucher" => stock.redeem(client).await,
            _ => {}
        }
        stock.make_places(document, client, operation).await;
        stock
    }

    /// With a token for an operation that sets a password: that of a user who does nothing else.
    pub async fn with_mail(mut self, operation: &Operation, client: &Client, app: &App) -> Self {
        let purpose = match operation.id.as_str() {
            "activate_account" => Purpose::Activation,
            "reset_password" => Purpose::Reset,
            _ => return self,
        };
        let user = json!({
            "username": format!("user-{FRESH}"),
            "email": format!("mail-{FRESH}@example.com"),
            "userGroup": self.group_id,
            "language": 1,
        });
        let user = serde_json::from_slice(&fresh(user.to_string().into_bytes())).unwrap();
        let user = client.post("/user", user).await.expect(201)["id"].as_i64().unwrap();
        let mut db = app.db.acquire().await.unwrap();
        let token = recovery::issue(&mut db, user, purpose, &app.config, app.clock.now()).await;
        self.mailed = Some(token.unwrap());
        self
    }

    /// Made for any operation that is to refuse them.
    pub async fn of_all(document: &Document, client: &Client, group: &'static str) -> Self {
        let mut stock = Self::empty(client, group).await;
        stock.make_vouchers(client, 0).await;
        for operation in document.operations() {
            stock.make_places(document, client, &operation).await;
        }
        stock
    }

    async fn empty(client: &Client, group: &'static str) -> Self {
        let session =
            client.post("/auth/login", json!({"username": group, "password": world::PASSWORD})).await;
        let refresh = session.expect(201)["refresh_token"].as_str().unwrap().to_owned();
        let group_id = world::GROUPS.iter().find(|(_, name)| *name == group).unwrap().0;
        Self { group, group_id, refresh, mailed: None, made: HashMap::new() }
    }

    async fn make_vouchers(&mut self, client: &Client, total: i64) {
        let draft = json!({"name": "Spring", "totalVouchers": total, "voucherValue": 500, "type": "gift"});
        let campaign = client.post("/campaign", draft).await.expect(201);
        let draft = json!({"campaign": campaign["id"], "type": "gift", "value": 500});
        let voucher = client.post("/voucher", draft).await.expect(201);
        self.made.insert("/campaign".to_owned(), campaign);
        self.made.insert("/voucher".to_owned(), voucher);
    }

    async fn redeem(&self, client: &Client) {
        let order = json!({"id": "order-1", "amount": 10});
        let body = json!({"deviceId": self.hostname(), "order": order, "demand": {"amount": 10}});
        let code = self.made["/voucher"]["code"].as_str().unwrap();
        let redeemed = client.post(&format!("/voucher/{code}/redeem"), body).await.expect(200);
        assert_eq!(redeemed["redeemed"], true, "{redeemed}");
    }

    /// Creates what the path of an operation names, as far as that is not there yet.
    async fn make_places(&mut self, document: &Document, client: &Client, operation: &Operation) {
        for place in operation.places().filter(|place| is_made(operation, place)) {
            let path = collection(operation, place);
            if self.made.contains_key(&path) {
                continue;
            }
            let Some(creation) = document.creation(&path) else { continue };
            let body = self.sample(document, &creation).to_string();
            let request = Request::builder()
                .method(&creation.method)
                .uri(self.path(&creation))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(fresh(body.into_bytes())));
            let reply: Reply = client.send_raw(request.unwrap()).await;
            assert!(reply.status.is_success(), "{}: {} {}", creation.id, reply.status, reply.text());
            self.made.insert(path, reply.json());
        }
    }

    /// Where an operation is, with something that is there for each parameter of its path.
    pub fn path(&self, operation: &Operation) -> String {
        operation.path_with(|place| self.place(operation, place))
    }

    /// The same with those parameters of the query that may not be left out, but for one of them.
    pub fn uri(&self, operation: &Operation, without: &str) -> String {
        let required = operation.query().filter(|parameter| parameter.required && parameter.name != without);
        let query = required.map(|parameter| format!("{}={}", parameter.name, self.asked(&parameter.name)));
        let query = query.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.path(operation))
    }

    fn asked(&self, name: &str) -> String {
        match name {
            "columns" => "id".to_owned(),
            "hostname" => self.hostname(),
            unknown => panic!("{unknown}: the sweep does not know what this parameter asks for"),
        }
    }

    /// What stands in for a parameter of a path.
    pub fn place(&self, operation: &Operation, place: &Parameter) -> String {
        let made = self.made.get(&collection(operation, place)).filter(|_| is_made(operation, place));
        let made = made.map(|made| match place.name.as_str() {
            "code" => &made["code"],
            "job" => &made["job"],
            _ => &made["id"],
        });
        if let Some(made) = made {
            return made.as_str().map_or_else(|| made.to_string(), str::to_owned);
        }
        if let Some(words) = place.schema["enum"].as_array() {
            // Not everybody sees the group that something belongs to.
            let word = words.iter().find(|word| *word != "userGroup" && *word != "parent");
            return word.unwrap_or(&words[0]).as_str().unwrap().to_owned();
        }
        match (operation.area.as_str(), place.name.as_str()) {
            ("export", "resource") => "machinetype".to_owned(),
            ("operations", "type") => "invalid".to_owned(),
            ("currency", "id") => "978".to_owned(),
            ("command", "command") => "reboot".to_owned(),
            (_, "hostname") => self.hostname(),
            (_, "machine") | ("openinghours", "id") => self.machine().to_string(),
            (_, "machineGroup") | ("user" | "usergroup", _) => self.group_id.to_string(),
            unknown => panic!("{unknown:?}: the sweep does not know what this parameter names"),
        }
    }

    /// A machine of the group, which it has from the start.
    pub fn machine(&self) -> i64 {
        self.group_id * 10 + 1
    }

    /// What that machine is called.
    pub fn hostname(&self) -> String {
        format!("vm-{}-1", self.group)
    }

    /// The campaign, if one was made.
    pub fn campaign(&self) -> Option<i64> {
        self.made.get("/campaign")?["id"].as_i64()
    }

    /// One of a plain resource that the group can name in a body.
    pub fn named(&self, spec: &'static Spec) -> i64 {
        match (spec.noun, spec.reach) {
            ("machine", _) => self.machine(),
            ("currency", _) => 978,
            // One of the root, which every group sees.
            (_, Reach::Downwards) => 1,
            _ => self.group_id,
        }
    }

    /// One that no group beside this one can name; None where there is no such thing.
    pub fn own(&self, spec: &'static Spec) -> Option<i64> {
        match spec.reach {
            Reach::World => None,
            Reach::Downwards => self.made.get(spec.path)?["id"].as_i64(),
            _ => Some(self.named(spec)),
        }
    }
}

/// Whether what a parameter names is created for the purpose. Host names are those of machines that
/// are there from the start, and a command is sent by what it is.
fn is_made(operation: &Operation, place: &Parameter) -> bool {
    match place.name.as_str() {
        "id" | "parentid" | "code" | "job" => true,
        "command" => operation.method == Method::GET,
        _ => false,
    }
}

/// Where what a parameter names was created: the path in front of it.
fn collection(operation: &Operation, place: &Parameter) -> String {
    let (before, _) = operation.path.split_once(&format!("/{{{}}}", place.name)).unwrap();
    before.to_owned()
}
