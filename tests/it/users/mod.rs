//! Users, their groups and their mail.

mod claims;
mod groups;
mod leaving;
mod operator;
mod people;
mod recovery;
mod smtp;
mod story;

use crate::{
    app::{Builder, TestApp},
    client::Client,
};
use scrip::jobs::worker::work_one;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// A password that nobody had before.
const NEW: &str = "seven green bottles";

/// A server whose mails are written to files.
struct Office {
    app: TestApp,
    mails: TempDir,
}

/// A mail that was written.
#[derive(Debug)]
struct Mail {
    to: String,
    subject: String,
    text: String,
}

impl Office {
    async fn new() -> Self {
        Self::of(TestApp::builder()).await
    }

    async fn of(builder: Builder) -> Self {
        let mails = TempDir::new().unwrap();
        let folder = mails.path().to_owned();
        let app = builder.config(|config| config.mail_dir = Some(folder)).build().await;
        Self { app, mails }
    }

    /// Has every mail sent that is due, and returns those that were.
    async fn mails(&self) -> Vec<Mail> {
        while work_one(&self.app.app).await.unwrap() {}
        let mut paths: Vec<_> =
            fs::read_dir(&self.mails).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let mut mails = Vec::new();
        for path in paths {
            if path.extension().is_some_and(|its| its == "txt") {
                mails.push(Mail::read(&fs::read_to_string(&path).unwrap()));
            }
            fs::remove_file(path).unwrap();
        }
        mails
    }

    /// Has the one mail sent that is due.
    #[track_caller]
    fn only(mails: Vec<Mail>) -> Mail {
        let [mail] = <[Mail; 1]>::try_from(mails).unwrap_or_else(|mails| panic!("{mails:?}"));
        mail
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.app.app.db).await.unwrap()
    }

    async fn log_in(&self, username: &str, password: &str) -> Session {
        let body = json!({"username": username, "password": password});
        Session::of(&self.app.anyone().post("/auth/login", body).await.expect(201))
    }

    /// Whether this user name and password are good.
    async fn knows(&self, username: &str, password: &str) -> bool {
        let body = json!({"username": username, "password": password});
        self.app.anyone().post("/auth/login", body).await.status == 201
    }

    /// Asks for a new password; the token that comes by mail.
    async fn token_for(&self, email: &str) -> String {
        self.app.anyone().post("/auth/forgotpassword", json!({"email": email})).await.expect(200);
        Self::only(self.mails().await).token()
    }

    /// Whether an access token is good.
    async fn lets_in(&self, session: &Session) -> bool {
        self.app.bearer(&session.access).get("/user/me").await.status == 200
    }
}

impl Mail {
    fn read(file: &str) -> Self {
        let (head, text) = file.split_once("\n\n").unwrap();
        let field =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        Self { to: field("To:"), subject: field("Subject:"), text: text.to_owned() }
    }

    /// The token in its link.
    #[track_caller]
    fn token(&self) -> String {
        let link = self.text.lines().find(|line| line.starts_with("http")).expect("a link");
        link.split_once('#').unwrap().1.to_owned()
    }
}

/// What logging in answers.
#[derive(Debug)]
struct Session {
    access: String,
    refresh: String,
}

impl Session {
    fn of(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

fn draft(name: &str, group: i64) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "userGroup": group, "language": 1})
}

/// Creates a user; its id.
async fn create(client: &Client, draft: Value) -> i64 {
    client.post("/user", draft).await.expect(201)["id"].as_i64().unwrap()
}
