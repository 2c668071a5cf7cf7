//! What requests can name: things of the caller's own, and the same of a group beside it.

use super::document::{Document, Operation, Parameter};
use crate::{
    client::{Client, Reply},
    sweep::{FRESH, fresh},
    world,
};
use axum::{
    body::Body,
    http::{Request, header},
};
use scrip::{
    app::App,
    identity::recovery::{self, Purpose},
    jobs::worker::work_one,
    resource::{Reach, Spec},
    time::Clock,
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Areas of what machines send.
const SENT: [&str; 4] = ["telemetry", "revenuetransaction", "paymenttransaction", "log"];

/// An audit file that says next to nothing.
const AUDIT: &str =
    "DXS*ABC1234567*VA*V1/6*1\r\nST*001*0001\r\nID1*1*M\r\nVA1*100*1*100*1\r\nSE*4*0001\r\nDXE*1*1\r\n";

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
        if ["machine", "machineconfig", "command"].contains(&operation.area.as_str()) {
            stock.make_wanted(client).await;
        }
        if SENT.contains(&operation.area.as_str()) {
            stock.make_sent(client).await;
        }
        if ["chart", "dashboard"].contains(&operation.area.as_str()) {
            stock.make_pictures(client).await;
        }
        match operation.id.as_str() {
            "resume_campaign" => {
                client.post(&format!("/campaign/{}/cancel", stock.made["/campaign"]["id"]), json!({})).await;
            }
            "roll_back_voucher" => stock.redeem(client).await,
            "download_voucher_pdf" => {
                let id = stock.made["/voucher"]["id"].as_str().unwrap();
                client.post(&format!("/voucher/{id}/pdf"), json!({})).await.expect(202);
            }
            _ => {}
        }
        for place in operation.places() {
            stock.make_for(document, client, &collection(operation, place)).await;
        }
        stock
    }

    /// With what the server's own work brings: a PDF that is ready; for an operation that sets a password,
    /// the token in a mail to a user who does nothing else.
    pub async fn served(mut self, operation: &Operation, client: &Client, app: &App) -> Self {
        let purpose = match operation.id.as_str() {
            "activate_account" => Purpose::Activation,
            "reset_password" => Purpose::Reset,
            "restore_address" => Purpose::Restore,
            "download_campaign_pdf" => {
                client
                    .post(&format!("/campaign/{}/pdf", self.made["/campaign"]["id"]), json!({}))
                    .await
                    .expect(202);
                while work_one(app).await.unwrap() {}
                return self;
            }
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
        let now = app.clock.now();
        let token = if purpose == Purpose::Restore {
            let former = format!("former-{user}@example.com");
            recovery::issue_restore(&mut db, user, &former, &app.config, now).await.unwrap()
        } else {
            Some(recovery::issue(&mut db, user, purpose, &app.config, now).await.unwrap())
        };
        self.mailed = token;
        self
    }

    /// Made for any operation that is to refuse them.
    pub async fn of_all(document: &Document, client: &Client, group: &'static str) -> Self {
        let mut stock = Self::empty(client, group).await;
        stock.make_vouchers(client, 0).await;
        stock.make_wanted(client).await;
        stock.make_sent(client).await;
        stock.make_pictures(client).await;
        for operation in document.operations() {
            for place in operation.places() {
                stock.make_for(document, client, &collection(&operation, place)).await;
            }
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

    /// What is wanted of the machine: to be configured, in two ways, and to do something.
    async fn make_wanted(&mut self, client: &Client) {
        client.put("/machineconfig", json!({"machine": self.machine(), "mode": "ap"})).await.expect(200);
        let filter = json!({"type": "machine", "ids": [self.machine()]});
        let body = json!({"filter": filter, "configuration": {"apn": {"apn": "m2m"}}});
        let accepted = client.put("/machine/config", body).await.expect(202);
        let command =
            client.post(&format!("/command/{}/reboot", self.hostname()), json!({})).await.expect(201);
        self.made.insert("/machine/config".to_owned(), json!({"id": accepted["job"]}));
        self.made.insert("/machine/{hostname}/commands".to_owned(), command.clone());
        self.made.insert("/command".to_owned(), command);
    }

    /// What its machine has sent: a sale with its payment, an event, an audit.
    async fn make_sent(&mut self, client: &Client) {
        let machine = self.hostname();
        let remote: i64 = self.group_id;
        let at = "2026-06-01T12:00:00Z";
        let payment = json!({"remote": remote, "occurredAt": at, "method": "cash", "price": 100});
        let sale = json!({"remote": remote, "occurredAt": at, "price": 100, "name": "Tea", "paymenttransactions": [payment]});
        client.post(&format!("/machine/{machine}/revenuetransactions"), sale).await.expect(200);
        let event = json!({"remote": remote, "occurredAt": at, "code": "E42", "type": 2});
        client.post(&format!("/machine/{machine}/logs"), event).await.expect(200);
        for path in ["/revenuetransaction", "/paymenttransaction", "/log"] {
            let page =
                client.get(&format!("{path}?where[machine]={}&limit=1", self.machine())).await.expect(200);
            self.made.insert(path.to_owned(), page[0].clone());
        }
        let path = format!("/machine/{machine}/audit");
        let request = Request::post(&path).header(header::CONTENT_TYPE, "text/plain");
        let reply = client.send_raw(request.body(Body::from(AUDIT)).unwrap()).await;
        assert!(reply.status.is_success(), "{path}: {} {}", reply.status, reply.text());
        self.made.insert("/machine/{hostname}/audits".to_owned(), reply.json());
    }

    /// A chart and a widget, with what they are on.
    async fn make_pictures(&mut self, client: &Client) {
        let report = client.post("/userreport", json!({"name": "Week"})).await.expect(201);
        let path = format!("/userreport/{}/chart", report["id"]);
        let chart = client.post(&path, json!({"type": "revenue_full"})).await.expect(201);
        let dashboard = client.post("/dashboard", json!({"name": "Morning"})).await.expect(201);
        let path = format!("/dashboard/{}/widget", dashboard["id"]);
        let widget = client.post(&path, json!({"name": "Today", "widgetType": 1})).await.expect(201);
        for (path, made) in
            [("/userreport", report), ("/chart", chart), ("/dashboard", dashboard), ("/widget", widget)]
        {
            self.made.insert(path.to_owned(), made);
        }
    }

    /// A body that an operation accepts, and what kind of body that is.
    pub fn body(&self, document: &Document, operation: &Operation) -> Option<(&'static str, Vec<u8>)> {
        if operation.id == "send_audit" {
            return Some(("text/plain", AUDIT.into()));
        }
        operation.body.as_ref()?;
        Some(("application/json", self.sample(document, operation).to_string().into_bytes()))
    }

    async fn redeem(&self, client: &Client) {
        let order = json!({"id": "order-1", "amount": 10});
        let body = json!({"deviceId": self.hostname(), "order": order, "demand": {"amount": 10}});
        let code = self.made["/voucher"]["code"].as_str().unwrap();
        let redeemed = client.post(&format!("/voucher/{code}/redeem"), body).await.expect(200);
        assert_eq!(redeemed["redeemed"], true, "{redeemed}");
    }

    /// Creates what is found below `path`, if that is how it comes to be and it is not there yet.
    async fn make_for(&mut self, document: &Document, client: &Client, path: &str) {
        if self.made.contains_key(path) {
            return;
        }
        let Some(creation) = document.creation(path) else { return };
        let body = self.sample(document, &creation).to_string();
        let request = Request::post(self.path(&creation))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(fresh(body.into_bytes())));
        let reply: Reply = client.send_raw(request.unwrap()).await;
        assert!(reply.status.is_success(), "{}: {} {}", creation.id, reply.status, reply.text());
        self.made.insert(path.to_owned(), reply.json());
    }

    /// A request for an operation that is good, and aimed at these things.
    pub fn request(&self, document: &Document, operation: &Operation) -> Request<Body> {
        let request = Request::builder().method(&operation.method).uri(self.uri(operation, ""));
        let Some((content_type, body)) = self.body(document, operation) else {
            return request.body(Body::empty()).unwrap();
        };
        let request = request.header(header::CONTENT_TYPE, content_type);
        let Ok(mut body) = serde_json::from_slice::<Value>(&body) else {
            return request.body(Body::from(body)).unwrap();
        };
        // Whoever creates something creates it for its own group; of a user that has to be said.
        if operation.spec().is_some() && operation.area != "user" {
            body.as_object_mut().unwrap().remove("userGroup");
        }
        request.body(Body::from(fresh(body.to_string().into_bytes()))).unwrap()
    }

    /// The same request with another name in it, if there is a name.
    pub fn renaming(&self, document: &Document, operation: &Operation) -> Request<Body> {
        let body = self.body(document, operation).and_then(|(_, body)| serde_json::from_slice(&body).ok());
        let mut body: Value = body.unwrap_or_default();
        if body.get("name").is_some() {
            body = json!({"name": format!("renamed-{FRESH}")});
        }
        let request = Request::builder().method(&operation.method).uri(self.uri(operation, ""));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        request.body(Body::from(fresh(body.to_string().into_bytes()))).unwrap()
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
            "status" => "ok".to_owned(),
            "startDate" | "endDate" => "2026-01-01".to_owned(),
            // Only the latest months are told in full.
            "period1[startDate]" | "period1[endDate]" => {
                Clock::default().now().format("%Y-%m-%d%%2000:00:00").to_string()
            }
            "hostname" => self.hostname(),
            unknown => panic!("{unknown}: the sweep does not know what this parameter asks for"),
        }
    }

    /// What stands in for a parameter of a path.
    pub fn place(&self, operation: &Operation, place: &Parameter) -> String {
        if operation.invents(place) {
            return "reboot".to_owned();
        }
        if place.name == "hostname" {
            return self.hostname();
        }
        let made = self.made.get(&collection(operation, place));
        let made = made.map(|made| if place.name == "code" { &made["code"] } else { &made["id"] });
        if let Some(text) = made.and_then(Value::as_str) {
            return text.to_owned();
        }
        if let Some(number) = made.and_then(Value::as_i64) {
            return number.to_string();
        }
        if let Some(words) = place.schema["enum"].as_array() {
            // Not everybody sees the group that something belongs to.
            let word = words.iter().find(|word| *word != "userGroup" && *word != "parent");
            return word.unwrap_or(&words[0]).as_str().unwrap().to_owned();
        }
        match (operation.area.as_str(), place.name.as_str()) {
            ("export", "resource") => "machinetype".to_owned(),
            ("machine", "status") => "ok".to_owned(),
            ("chart", "field") => "name".to_owned(),
            ("charttemplate", "id") => "1".to_owned(),
            ("operations", "type") => "invalid".to_owned(),
            ("currency", "id") => "978".to_owned(),
            // Of a report: a location group, which is what the first of its aliases means.
            ("user" | "usergroup", _) | ("report", "id") | (_, "machineGroup") => self.group_id.to_string(),
            (_, "hostname") => self.hostname(),
            ("openinghours", _) | (_, "machine") => self.machine().to_string(),
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

    /// The id of what was made there.
    pub fn made(&self, path: &str) -> Value {
        self.made.get(path).map_or(Value::Null, |made| made["id"].clone())
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

/// Where what a parameter names was created: the path in front of it.
fn collection(operation: &Operation, place: &Parameter) -> String {
    let (before, _) = operation.path.split_once(&format!("/{{{}}}", place.name)).unwrap();
    before.to_owned()
}
