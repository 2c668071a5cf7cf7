//! Sending what the reference shows, and looking at what comes back.

use super::{Operation, SHAPES, shape::Shapes, world::World};
use crate::client::{Client, Reply};
use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A client at work.
pub struct Replay {
    world: World,
    shapes: Shapes,
}

impl Replay {
    /// Begins in a world that has one of each thing.
    pub async fn start() -> Self {
        Self { world: World::new().await, shapes: Shapes::read(SHAPES) }
    }

    /// The things that the world lacks.
    pub fn flaws(&self) -> Vec<String> {
        self.world.flaws()
    }

    /// Fields that no answer had a value for.
    pub fn unseen(&self) -> BTreeSet<String> {
        self.shapes.unseen()
    }

    /// Tries an operation in each of its ways, and says what is not as the reference says.
    pub async fn run(&mut self, operation: &Operation) -> Vec<String> {
        let (method, path) = operation.call.split_once(' ').unwrap();
        let mut ways = vec![operation.with.clone()];
        for (name, values) in &operation.each {
            ways = ways
                .iter()
                .flat_map(|way| {
                    values.iter().map(move |value| {
                        let mut way = way.clone();
                        match value {
                            // A value with more that goes along with it.
                            Value::Object(more) => way.extend(more.clone()),
                            value => {
                                way.insert(name.clone(), value.clone());
                            }
                        }
                        way
                    })
                })
                .collect();
        }
        let queries =
            if operation.queries.is_empty() { vec![String::new()] } else { operation.queries.clone() };
        let mut misfits = Vec::new();
        for way in &ways {
            for query in &queries {
                let path = self.world.path(path, way);
                let query = way.get("query").and_then(Value::as_str).unwrap_or(query);
                let query = self.world.words(query).replace('>', "%3E");
                let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
                let body = operation.body.clone().map(|body| self.world.body(body, way));
                let reply = self.send(operation, method, &uri, body.as_ref()).await;
                let example = way.get("answer").unwrap_or(&operation.answer);
                let found = self.look(operation, example, &reply);
                misfits.extend(found.into_iter().map(|misfit| format!("{method} {uri}: {misfit}")));
            }
        }
        misfits
    }

    async fn send(&self, operation: &Operation, method: &str, uri: &str, body: Option<&Value>) -> Reply {
        let client: &Client = self.world.caller(operation.caller.as_deref());
        let request = Request::builder().method(method).uri(uri);
        let request = match body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json");
                request.body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        client.send_raw(request.unwrap()).await
    }

    fn look(&mut self, operation: &Operation, example: &Value, reply: &Reply) -> Vec<String> {
        if reply.status.as_u16() != operation.status {
            return vec![format!("{}, not {}: {}", reply.status, operation.status, reply.text())];
        }
        if *example == json!("CSV") {
            let kind = reply
                .headers
                .get(header::CONTENT_TYPE)
                .and_then(|kind| kind.to_str().ok())
                .unwrap_or_default();
            let rows = reply.text().lines().count();
            return if kind.starts_with("text/csv") && rows > 1 {
                Vec::new()
            } else {
                vec![format!("{kind}, {rows} rows")]
            };
        }
        let Ok(answer) = serde_json::from_slice(&reply.body) else {
            return vec![format!("no JSON: {}", reply.text())];
        };
        self.shapes.misfits(&operation.call, "", example, &answer)
    }
}
