//! Sends requests that are wrong, and judges the answers.

use super::{document::Operation, fresh};
use crate::client::{Client, Reply};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::Value;
use sqlx::PgPool;

/// A request, and what is to become of it.
pub struct Case {
    /// What is wrong with it.
    pub what: String,
    /// Where it goes.
    pub uri: String,
    /// What it says that its body is.
    pub content_type: Option<&'static str>,
    /// Its body.
    pub body: Vec<u8>,
    /// What is to become of it.
    pub expected: Expected,
}

/// What is to become of a request.
pub enum Expected {
    /// One of these. A 400 or 422 names this place, a 413 this limit.
    Refused(&'static [u16], String),
    /// It may be refused or not, for reasons that no schema tells.
    Either,
}

/// All that was found.
#[derive(Default)]
pub struct Findings {
    found: Vec<String>,
    requests: usize,
}

impl Case {
    /// A request without a body.
    pub fn bare(uri: String, expected: Expected) -> Self {
        Self { what: String::new(), uri, content_type: None, body: Vec::new(), expected }
    }

    /// Sends it.
    pub async fn send(&self, client: &Client, method: &Method) -> Reply {
        let mut request = Request::builder().method(method).uri(&self.uri);
        if let Some(content_type) = self.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        client.send_raw(request.body(Body::from(fresh(self.body.clone()))).unwrap()).await
    }
}

impl Findings {
    /// Sends cases that are to change nothing, and sees that they don't. What is accepted after all
    /// may change what it likes.
    pub async fn sweep(&mut self, client: &Client, db: &PgPool, operation: &Operation, cases: &[Case]) {
        let (refused, either): (Vec<_>, Vec<_>) =
            cases.iter().partition(|case| matches!(case.expected, Expected::Refused(..)));
        let before = fingerprint(db).await;
        for case in refused {
            self.judge(client, operation, case).await;
        }
        let mut before = self.unchanged(db, before, &format!("{}: what was refused", operation.id)).await;
        for case in either {
            let accepted = self.judge(client, operation, case).await;
            before = if accepted {
                fingerprint(db).await
            } else {
                self.unchanged(db, before, &format!("{}: {}", operation.id, case.what)).await
            };
        }
    }

    async fn judge(&mut self, client: &Client, operation: &Operation, case: &Case) -> bool {
        self.requests += 1;
        let reply = case.send(client, &operation.method).await;
        let name = format!("{} ({} {}): {}", operation.id, operation.method, short(&case.uri), case.what);
        if let Err(complaint) = judge(&reply, &case.expected) {
            self.add(format!("{name}: {complaint}: {} {}", reply.status, short(&reply.text())));
        }
        if operation.answers.get(reply.status.as_str()).is_none() {
            self.add(format!("{name}: {} is not documented", reply.status));
        }
        reply.status.is_success()
    }

    async fn unchanged(&mut self, db: &PgPool, before: Vec<Table>, what: &str) -> Vec<Table> {
        let after = fingerprint(db).await;
        for (before, after) in before.iter().zip(&after) {
            if before != after {
                self.add(format!("{what} has changed table {}", after.0));
            }
        }
        after
    }

    /// Notes something that is wrong.
    pub fn add(&mut self, finding: String) {
        self.found.push(finding);
    }

    /// Fails if there was anything, or next to nothing was tried.
    pub fn none_of(&self, at_least: usize) {
        assert!(self.found.is_empty(), "{} findings:\n{}", self.found.len(), self.found.join("\n"));
        assert!(self.requests >= at_least, "only {} requests were sent", self.requests);
    }
}

fn judge(reply: &Reply, expected: &Expected) -> Result<(), String> {
    let status = reply.status.as_u16();
    let Expected::Refused(statuses, pointer) = expected else {
        return if reply.status.is_success() { Ok(()) } else { is_problem(reply).map(drop) };
    };
    if !statuses.contains(&status) {
        return Err(format!("expected {statuses:?}"));
    }
    let problem = is_problem(reply)?;
    let mut named = problem["errors"].as_array().into_iter().flatten();
    let readable = matches!(status, 400 | 422);
    if status == 413 && !problem["detail"].as_str().is_some_and(|detail| detail.contains(pointer.as_str())) {
        return Err(format!("does not name the limit of {pointer} bytes"));
    }
    // An answer may be more exact, and point at what is wrong inside.
    let is_there = |issue: &Value| {
        let rest = issue["pointer"].as_str().and_then(|named| named.strip_prefix(pointer.as_str()));
        rest.is_some_and(|rest| rest.is_empty() || (!pointer.is_empty() && rest.starts_with('/')))
    };
    if readable && !named.any(is_there) {
        return Err(format!("does not point at {pointer:?}"));
    }
    Ok(())
}

/// Whether an answer is a client's fault, and says so as it should.
fn is_problem(reply: &Reply) -> Result<Value, String> {
    if !reply.status.is_client_error() {
        return Err("is no refusal".to_owned());
    }
    if reply.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/problem+json") {
        return Err("is no problem document".to_owned());
    }
    let problem: Value = serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
    let complete = ["type", "title", "detail", "message"].iter().all(|name| problem[name].is_string());
    if !complete || problem["status"] != reply.status.as_u16() {
        return Err("is no complete problem".to_owned());
    }
    if matches!(reply.status.as_u16(), 400 | 422) && problem["errors"][0]["detail"].is_null() {
        return Err("does not say where".to_owned());
    }
    Ok(problem)
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// A table's name, how many rows it has, and what is different after any change of them.
pub type Table = (String, i64, Option<String>);

/// All tables but those that the server writes beside requests: the log of verbs, what is to be put
/// right in Redis, and when a key was last used. What was inserted or updated last is the work of a
/// later transaction than all before, and what was deleted is missing.
pub async fn fingerprint(db: &PgPool) -> Vec<Table> {
    sqlx::query_as(
        "SELECT name, (xpath('/row/n/text()', x))[1]::text::bigint, (xpath('/row/h/text()', x))[1]::text
         FROM (
             SELECT relname::text AS name, query_to_xml(format(
                 CASE relname
                     WHEN 'api_key' THEN
                         'SELECT count(*) AS n,
                                 md5(string_agg((to_jsonb(t) - ''last_used_at'')::text, '''' ORDER BY id)) AS h
                          FROM %I t'
                     ELSE 'SELECT count(*) AS n, max(xmin::text::bigint) AS h FROM %I'
                 END, relname), false, true, '') AS x
             FROM pg_class
             WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
               AND relname NOT LIKE 'voucher\\_log%' AND relname NOT IN ('stale_code', 'hot_epoch')
         ) tables
         ORDER BY name",
    )
    .fetch_all(db)
    .await
    .unwrap()
}
