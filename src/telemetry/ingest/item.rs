//! Items as gateways send them: how each is read, and what can be said of it without looking anything up.

use crate::{
    campaigns::terms::Currency,
    error::Issue,
    fleet::payments::PaymentMethod,
    resource::{Text, Whole},
    telemetry::{
        clock::{self, Flaw},
        record::Event,
    },
    text,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, schema::Type},
};

/// The largest amount, in minor units.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// What an event may say besides, in characters.
const EXTRA_MAX: usize = 10_000;

/// The longest that an event lasts, in seconds.
const DURATION_MAX: i64 = 1_000_000_000;

/// Payments within one sale.
const NESTED_MAX: usize = 20;

/// Whatever a batch consists of.
pub(super) trait Item: DeserializeOwned {
    /// The machine's own number of it.
    fn remote(&self) -> i64;

    /// What is wrong with it; pointers begin within it.
    fn issues(&self, now: DateTime<Utc>) -> Vec<Issue>;

    /// Has it happen now if it comes of a clock that was never set; returns what is to be told of that.
    fn set_clock(&mut self, _now: DateTime<Utc>) -> Option<Issue> {
        None
    }
}

/// An instant with an offset (RFC 3339), in whole microseconds: what Postgres holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) DateTime<Utc>);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .ok()
            .and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()))
            .map(Self)
            .ok_or_else(|| D::Error::custom("must be an instant with an offset, like 2026-06-01T10:00:00Z"))
    }
}

/// What is told of something whose time can't be.
fn unset_clock() -> Issue {
    Issue::at("/occurredAt", format!("{}: when it came counts", Flaw::Unset.said()))
}

fn is_unset(at: Instant, now: DateTime<Utc>) -> bool {
    clock::flaw(at.0, now) == Some(Flaw::Unset)
}

/// Something that a machine sold.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SaleItem {
    /// The machine's own number of it: each is kept once, however often it is sent.
    #[schema(value_type = i64, minimum = 0, examples(4711))]
    pub(super) remote: Whole<0, { i64::MAX }>,
    /// Which series of the machine's own numbers this one is of, from 1 on: a machine whose numbers begin
    /// again names another. Without it, a number that is taken by something that happened later than all
    /// before begins one.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub(super) series: Option<Whole<1, { i64::MAX }>>,
    /// When, with an offset (RFC 3339). Late is no fault; more than a day ahead is. What is said to have
    /// happened more than five years ago comes of a clock that was never set: it counts for when it comes.
    #[schema(value_type = String, format = DateTime)]
    pub(super) occurred_at: Instant,
    /// Whether it came without a time that can be.
    #[serde(skip)]
    pub(super) is_timeless: bool,
    /// What was asked for it, in minor units.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_i64, examples(150))]
    pub(super) price: Whole<0, AMOUNT_MAX>,
    /// Which of the machine's products.
    pub(super) product: Option<i64>,
    /// The same by the number under which the machine sells it.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub(super) plu: Option<Whole<0, { i32::MAX as i64 }>>,
    /// What it is called; the product's name without it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("Cola"))]
    pub(super) name: Option<Text<200>>,
    /// ISO 4217; the machine's currency without it.
    pub(super) currency: Option<Currency>,
    /// Which key, chip or account it was for.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub(super) token: Option<Text<200>>,
    /// As the machine numbers kinds of sales.
    pub(super) salestype: Option<i64>,
    /// As the machine numbers its price lists.
    pub(super) pricelist: Option<i64>,
    /// What it costs without whatever made it cheaper; the price without it.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_i64)]
    pub(super) original_price: Option<Whole<0, AMOUNT_MAX>>,
    /// What it was paid with.
    #[schema(max_items = 20)]
    #[serde(default)]
    pub(super) paymenttransactions: Vec<NestedPayment>,
}

/// A payment of the sale that it is in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NestedPayment {
    /// The machine's own number of it. One without is kept together with its sale.
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub(super) remote: Option<Whole<0, { i64::MAX }>>,
    /// When; at the time of the sale without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) occurred_at: Option<Instant>,
    /// How it was paid.
    #[schema(schema_with = method)]
    pub(super) method: PaymentMethod,
    /// Minor units; negative where money was given back.
    #[schema(value_type = i64, minimum = -1_000_000_000_i64, maximum = 1_000_000_000_i64, examples(150))]
    pub(super) price: Whole<{ -AMOUNT_MAX }, AMOUNT_MAX>,
    /// ISO 4217; the machine's currency without it.
    pub(super) currency: Option<Currency>,
}

/// The methods of payment, as the document shows them.
fn method() -> Object {
    let words = PaymentMethod::ALL.iter().map(|method| method.word());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("How it was paid."))
        .enum_values(Some(words.collect::<Vec<_>>()))
        .build()
}

/// Something that a customer paid at a machine.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PaymentItem {
    /// The machine's own number of it: each is kept once, however often it is sent.
    #[schema(value_type = i64, minimum = 0, examples(815))]
    pub(super) remote: Whole<0, { i64::MAX }>,
    /// The machine's own number of the sale that it is of, which may arrive later.
    #[schema(value_type = Option<i64>, minimum = 0, examples(4711))]
    pub(super) revenuetransaction: Option<Whole<0, { i64::MAX }>>,
    /// Which series of the machine's own numbers this one is of, and that of its sale, as for sales.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub(super) series: Option<Whole<1, { i64::MAX }>>,
    /// When, with an offset (RFC 3339), as for sales.
    #[schema(value_type = String, format = DateTime)]
    pub(super) occurred_at: Instant,
    /// Whether it came without a time that can be.
    #[serde(skip)]
    pub(super) is_timeless: bool,
    /// How it was paid.
    #[schema(schema_with = method)]
    pub(super) method: PaymentMethod,
    /// Minor units; negative where money was given back.
    #[schema(value_type = i64, minimum = -1_000_000_000_i64, maximum = 1_000_000_000_i64, examples(150))]
    pub(super) price: Whole<{ -AMOUNT_MAX }, AMOUNT_MAX>,
    /// ISO 4217; the machine's currency without it.
    pub(super) currency: Option<Currency>,
}

/// Something that happened to a machine.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EventItem {
    /// The machine's own number of it: each is kept once, however often it is sent. Sent again with its
    /// end, it has ended.
    #[schema(value_type = i64, minimum = 0, examples(42))]
    pub(super) remote: Whole<0, { i64::MAX }>,
    /// Which series of the machine's own numbers this one is of, as for sales.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub(super) series: Option<Whole<1, { i64::MAX }>>,
    /// What the machine calls it.
    #[schema(value_type = String, min_length = 1, max_length = 200, examples("E42"))]
    pub(super) code: Text<200>,
    /// 1: a message; 2: an issue; 3: an alarm. A message without it.
    #[serde(rename = "type")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 3)]
    pub(super) kind: Option<Whole<1, 3>>,
    /// When, with an offset (RFC 3339). Late is no fault; more than a day ahead is.
    #[schema(value_type = String, format = DateTime)]
    pub(super) occurred_at: Instant,
    /// Seconds that it lasted, if it has ended.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_i64)]
    pub(super) duration: Option<Whole<0, DURATION_MAX>>,
    /// Whatever else is known of it: text, or any JSON, which is kept as text.
    #[schema(value_type = Value)]
    pub(super) extra_data: Option<Value>,
    /// When it ended, if it has.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) resolved_at: Option<Instant>,
}

/// Collects what is wrong with an item.
struct Flaws {
    now: DateTime<Utc>,
    issues: Vec<Issue>,
}

impl Flaws {
    fn of(now: DateTime<Utc>) -> Self {
        Self { now, issues: Vec::new() }
    }

    fn wrong(&mut self, pointer: String, detail: &'static str) {
        self.issues.push(Issue::at(pointer, detail));
    }

    fn time(&mut self, pointer: impl Into<String>, at: Instant) {
        if let Some(flaw) = clock::flaw(at.0, self.now) {
            self.wrong(pointer.into(), flaw.said());
        }
    }
}

impl Item for SaleItem {
    fn remote(&self) -> i64 {
        self.remote.0
    }

    fn issues(&self, now: DateTime<Utc>) -> Vec<Issue> {
        let mut flaws = Flaws::of(now);
        flaws.time("/occurredAt", self.occurred_at);
        if self.product.is_none() && self.plu.is_none() && self.name.is_none() {
            flaws.wrong("/name".into(), "is required where no product is named");
        }
        if self.paymenttransactions.len() > NESTED_MAX {
            flaws.wrong("/paymenttransactions".into(), "must have at most 20 items");
        }
        let mut remotes = Vec::new();
        for (index, payment) in self.paymenttransactions.iter().enumerate() {
            let at = format!("/paymenttransactions/{index}");
            if let Some(occurred_at) = payment.occurred_at {
                flaws.time(format!("{at}/occurredAt"), occurred_at);
            }
            if let Some(remote) = &payment.remote {
                if remotes.contains(&remote.0) {
                    flaws.wrong(format!("{at}/remote"), "is the number of another payment of this sale");
                }
                remotes.push(remote.0);
            }
        }
        flaws.issues
    }

    fn set_clock(&mut self, now: DateTime<Utc>) -> Option<Issue> {
        for payment in &mut self.paymenttransactions {
            payment.occurred_at = payment.occurred_at.filter(|at| !is_unset(*at, now));
        }
        self.is_timeless = is_unset(self.occurred_at, now);
        self.is_timeless.then(|| {
            self.occurred_at = Instant(now);
            unset_clock()
        })
    }
}

impl Item for PaymentItem {
    fn remote(&self) -> i64 {
        self.remote.0
    }

    fn issues(&self, now: DateTime<Utc>) -> Vec<Issue> {
        let mut flaws = Flaws::of(now);
        flaws.time("/occurredAt", self.occurred_at);
        flaws.issues
    }

    fn set_clock(&mut self, now: DateTime<Utc>) -> Option<Issue> {
        self.is_timeless = is_unset(self.occurred_at, now);
        self.is_timeless.then(|| {
            self.occurred_at = Instant(now);
            unset_clock()
        })
    }
}

impl EventItem {
    /// What else is known of it, as it is kept.
    pub(super) fn extra_text(&self) -> Option<String> {
        self.extra_data.as_ref().map(|extra| match extra {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        })
    }

    /// How it is written down.
    pub(super) fn event(&self) -> Event {
        let occurred_at = self.occurred_at.0;
        let duration = self.duration.map(|duration| duration.0);
        let (duration, resolved_at) = Event::ended(occurred_at, duration, self.resolved_at.map(|at| at.0));
        Event {
            remote: Some(self.remote.0),
            series: 0,
            occurred_at,
            code: self.code.0.clone(),
            kind: self.kind.map_or(1, |kind| kind.0 as i16),
            duration,
            resolved_at,
            extra_data: self.extra_text(),
        }
    }
}

impl Item for EventItem {
    fn remote(&self) -> i64 {
        self.remote.0
    }

    fn issues(&self, now: DateTime<Utc>) -> Vec<Issue> {
        let mut flaws = Flaws::of(now);
        flaws.time("/occurredAt", self.occurred_at);
        if let Some(resolved_at) = self.resolved_at {
            flaws.time("/resolvedAt", resolved_at);
            if resolved_at < self.occurred_at {
                flaws.wrong("/resolvedAt".into(), "is before it happened");
            }
        } else if self.event().resolved_at.is_some_and(|end| clock::flaw(end, now) == Some(Flaw::Ahead)) {
            flaws.wrong("/duration".into(), "ends in the future");
        }
        if let Some(extra) = self.extra_text() {
            if extra.chars().count() > EXTRA_MAX {
                flaws.wrong("/extraData".into(), "must have at most 10,000 characters");
            }
            if let Some(flaw) = text::flaw_of_lines(&extra) {
                flaws.wrong("/extraData".into(), flaw);
            }
        }
        flaws.issues
    }
}
