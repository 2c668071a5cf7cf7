//! The items of a batch as they are read, and what becomes of each.

use super::{body, item::Item};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    http::{extract::parse, unread::FromBody},
};
use axum::extract::Request;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An item as it is sent at most: ten thousand characters, each as two escapes, and the rest. What is
/// larger is not even read, since it would take many times as much memory.
const ITEM_MAX_BYTES: usize = 256 << 10;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReceiptStatus)]
pub(super) enum Status {
    /// It was new, and is kept.
    Created,
    /// It was there already.
    Duplicate,
    /// It was there, and has ended since: an event.
    Updated,
    /// Something else was there under its number, or that of a payment in it, and stays as it was.
    Conflict,
    /// It is wrong, and was not kept.
    Invalid,
}

/// What became of an item, in the place that it had in its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Receipt {
    /// The machine's own number of it, if that could be read.
    pub(super) remote: Option<i64>,
    /// What became of it.
    pub(super) status: Status,
    /// What is wrong with it, which fields of it contradict what is kept, or what was made of a time that
    /// can't be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<Issue>,
}

/// A batch whose items have been read.
#[derive(Debug)]
pub(super) struct Batch<T> {
    /// Those that can be read, each with its place.
    pub(super) items: Vec<(usize, T)>,
    /// What becomes of each, in their order; as long as nothing else is known, it is created.
    pub(super) receipts: Vec<Receipt>,
}

impl<T: Item + Send + 'static> FromBody for Batch<T> {
    async fn from_body(request: Request, app: &App, group: i64) -> Result<Self> {
        let now = app.clock.now();
        body::read(app, group, request, move |body| Ok(Self::read(&body::split(body)?, now))).await
    }
}

impl<T: Item> Batch<T> {
    /// Reads each item by itself.
    pub(super) fn read(items: &[Box<RawValue>], now: DateTime<Utc>) -> Self {
        let mut batch = Self { items: Vec::with_capacity(items.len()), receipts: Vec::new() };
        for (index, raw) in items.iter().enumerate() {
            if raw.get().len() > ITEM_MAX_BYTES {
                let errors = vec![Issue::at(format!("/{index}"), "is too large")];
                batch.receipts.push(Receipt { remote: number_of(raw), status: Status::Invalid, errors });
                continue;
            }
            let mut told = Vec::new();
            let (remote, issues) = match parse::<T>(raw.get().as_bytes()) {
                Ok(mut item) => {
                    told.extend(item.set_clock(now));
                    let (remote, issues) = (Some(item.remote()), item.issues(now));
                    if issues.is_empty() {
                        batch.items.push((index, item));
                    }
                    (remote, issues)
                }
                Err(Error::Invalid(issues) | Error::Malformed(issues)) => (number_of(raw), issues),
                Err(error) => (number_of(raw), vec![Issue::at("", error.to_string())]),
            };
            batch.receipts.push(Receipt { remote, status: Status::Created, errors: Vec::new() });
            for issue in told {
                batch.note(index, Status::Created, &issue.pointer, issue.detail);
            }
            for issue in issues {
                batch.note(index, Status::Invalid, &issue.pointer, issue.detail);
            }
        }
        batch
    }
}

impl<T> Batch<T> {
    /// Notes what is wrong with an item; `pointer` begins within it.
    pub(super) fn note(
        &mut self,
        index: usize,
        status: Status,
        pointer: &str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) {
        self.receipts[index].status = status;
        self.receipts[index].errors.push(Issue::at(format!("/{index}{pointer}"), detail));
    }

    /// Notes that something else is kept under an item's number.
    pub(super) fn contradicts(&mut self, index: usize, pointer: &str) {
        const DETAIL: &str = "is not what was sent under this number before: if the machine's numbers have begun \
                              again, say another `series`";
        self.note(index, Status::Conflict, pointer, DETAIL);
    }
}

/// The number of an item that can't be read otherwise.
fn number_of(raw: &RawValue) -> Option<i64> {
    #[derive(Deserialize)]
    struct Numbered {
        remote: i64,
    }
    serde_json::from_str(raw.get()).ok().map(|numbered: Numbered| numbered.remote)
}
