//! Words and values that campaigns and vouchers share, and how input of them is checked: pure.

use super::style::Style;
use crate::{
    error::{Error, Issue, Result},
    text,
    time::Moment,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most that a voucher can be worth, in minor units: sums of millions of them still fit.
pub const VALUE_MAX: i64 = 1_000_000_000_000;

/// The most redemptions that a limit can name.
pub const LIMIT_MAX: i64 = 1_000_000_000;

/// The longest name, in characters.
pub const NAME_MAX: usize = 200;

/// The longest text on a coupon, in characters.
pub const TEXT_MAX: usize = 500;

/// The zone where none is asked for.
pub const ZONE_DEFAULT: Tz = Tz::Europe__Amsterdam;

/// The unit of a value: minor units of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ValueType {
    /// Hundredths, as a rule.
    #[default]
    Cents,
}

/// Whether something may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = ActiveStatus)]
pub enum Switch {
    /// It may.
    #[default]
    Active,
    /// It may not.
    Inactive,
}

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = CampaignStatus)]
pub enum Status {
    /// Its vouchers are being generated.
    Creating,
    /// Its vouchers may be used.
    Active,
    /// They may not.
    Inactive,
}

impl From<Switch> for Status {
    fn from(switch: Switch) -> Self {
        match switch {
            Switch::Active => Self::Active,
            Switch::Inactive => Self::Inactive,
        }
    }
}

/// Where a PDF of coupons stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum PdfStatus {
    /// Nobody has asked for one.
    Empty,
    /// It is to be made.
    Pending,
    /// It is being made.
    Rendering,
    /// It can be downloaded.
    Ready,
    /// It could not be made.
    Failed,
}

impl PdfStatus {
    /// Every status, as the API has it.
    pub const WORDS: &[&str] = &["empty", "pending", "rendering", "ready", "failed"];
}

/// The zone that a stored name means; UTC for a name that this build's tables no longer have.
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// A currency by its ISO 4217 code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
#[schema(as = CurrencyCode, pattern = "^[A-Z]{3}$", examples("EUR"))]
pub struct Currency(String);

impl Default for Currency {
    fn default() -> Self {
        Self("EUR".to_owned())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.0
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        match iso_currency::Currency::from_code(&code) {
            Some(_) => Ok(Self(code)),
            None => Err("is no currency of ISO 4217: it must be a code like EUR"),
        }
    }
}

/// Collects what is wrong with a body, so that a client learns all of it at once.
#[derive(Debug, Default)]
pub struct Checks(Vec<Issue>);

impl Checks {
    /// Notes that the field at `pointer` is wrong.
    pub fn wrong(&mut self, pointer: impl Into<std::borrow::Cow<'static, str>>, detail: &'static str) {
        self.0.push(Issue::at(pointer, detail));
    }

    /// A whole number from `min` to `max`.
    pub fn number(&mut self, pointer: &'static str, number: i64, min: i64, max: i64) {
        if !(min..=max).contains(&number) {
            self.0.push(Issue::at(pointer, format!("must be from {min} to {max}")));
        }
    }

    /// A limit of redemptions, if there is one.
    pub fn limit(&mut self, limit: Option<i64>) {
        self.number("/redemptionLimit", limit.unwrap_or(1), 1, LIMIT_MAX);
    }

    /// Text of a line: nothing in it that deceives or breaks, at most `max` characters.
    pub fn text(&mut self, pointer: &'static str, text: Option<&str>, max: usize) {
        self.read(pointer, text, max, text::flaw);
    }

    /// A name: text that says something.
    pub fn name(&mut self, pointer: &'static str, name: &str) {
        if name.trim().is_empty() {
            self.wrong(pointer, "must not be empty");
        }
        self.text(pointer, Some(name), NAME_MAX);
    }

    /// Several lines: as [`Checks::text`], but they may break.
    pub fn lines(&mut self, pointer: &'static str, text: Option<&str>, max: usize) {
        self.read(pointer, text, max, text::flaw_of_lines);
    }

    fn read(
        &mut self,
        pointer: &'static str,
        text: Option<&str>,
        max: usize,
        flaw: fn(&str) -> Option<&'static str>,
    ) {
        let Some(text) = text else { return };
        if let Some(flaw) = flaw(text) {
            self.wrong(pointer, flaw);
        }
        if text.chars().count() > max {
            self.0.push(Issue::at(pointer, format!("must have at most {max} characters")));
        }
    }

    /// The style of a coupon: JSON as text, so that pointers go on within it.
    pub fn style(&mut self, pointer: &'static str, style: Option<&str>) {
        let faults = style.map(Style::read).and_then(Result::err).unwrap_or_default();
        self.0.extend(
            faults.into_iter().map(|fault| Issue::at(format!("{pointer}{}", fault.pointer), fault.detail)),
        );
    }

    /// A prefix of codes.
    pub fn prefix(&mut self, prefix: Option<&str>) {
        let fits = |prefix: &str| {
            (1..=5).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if !prefix.is_none_or(fits) {
            self.wrong("/prefix", "must be 1 to 5 of a-z, A-Z and 0-9");
        }
    }

    /// Whether everything was right.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// From when until when something is good: as asked for, in one spelling, and as instants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first moment, in the client's words.
    pub starts_on: Option<String>,
    /// The last moment, in the client's words.
    pub expires_on: Option<String>,
    /// The first instant at which it has started.
    pub starts_at: Option<DateTime<Utc>>,
    /// The first instant at which it has expired.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Span {
    /// Reads both ends in `zone`. An end that was in force before may lie in the past; a new one may not.
    pub fn read(
        checks: &mut Checks,
        starts_on: Option<String>,
        expires_on: Option<String>,
        zone: Tz,
        before: Option<&str>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut read = |pointer, text: Option<String>| {
            let spelled = Moment::spell(&text?, zone);
            if spelled.is_none() {
                checks.wrong(pointer, "must be a date (2027-12-31) or an instant (2027-12-31T12:00:00Z)");
            }
            spelled
        };
        let (starts, starts_on) = read("/startsOn", starts_on).unzip();
        let (expires, expires_on) = read("/expiresOn", expires_on).unzip();
        let starts_at = starts.map(|moment: Moment| moment.starts_at(zone));
        let expires_at = expires.map(|moment: Moment| moment.expires_at(zone));
        let changed = expires_on.as_deref() != before;
        if changed && expires_at.is_some_and(|at| at <= now) {
            checks.wrong("/expiresOn", "is in the past");
        }
        if let (Some(starts_at), Some(expires_at)) = (starts_at, expires_at)
            && expires_at <= starts_at
        {
            checks.wrong("/expiresOn", "is before startsOn");
        }
        Self { starts_on, expires_on, starts_at, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(check: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::default();
        check(&mut checks);
        checks.0.into_iter().map(|issue| issue.pointer.into_owned()).collect()
    }

    #[test]
    fn a_span_ends_after_it_starts_and_not_in_the_past() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc();
        let read = |starts: Option<&str>, expires: Option<&str>, before: Option<&str>| {
            pointers(|checks| {
                Span::read(
                    checks,
                    starts.map(Into::into),
                    expires.map(Into::into),
                    ZONE_DEFAULT,
                    before,
                    now,
                );
            })
        };
        assert!(read(None, Some("2026-11-24"), None).is_empty(), "a date is inclusive");
        assert!(read(Some("2026-12-01"), Some("2026-12-01"), None).is_empty(), "one day is a span");
        assert_eq!(read(None, Some("2026-11-23"), None), ["/expiresOn"]);
        assert!(read(None, Some("2026-11-23"), Some("2026-11-23")).is_empty(), "it has not changed");
        assert_eq!(read(Some("2026-12-02"), Some("2026-12-01"), None), ["/expiresOn"]);
        assert_eq!(read(Some("x"), Some("y"), None), ["/startsOn", "/expiresOn"]);
    }

    #[test]
    fn text_prefix_and_style_are_checked() {
        assert_eq!(pointers(|checks| checks.name("/name", " ")), ["/name"]);
        assert_eq!(pointers(|checks| checks.name("/name", "a\u{0}b")), ["/name"]);
        assert_eq!(pointers(|checks| checks.name("/name", "a\u{202e}b")), ["/name"]);
        assert!(pointers(|checks| checks.lines("/note", Some("a\r\nb"), 4)).is_empty());
        assert_eq!(pointers(|checks| checks.lines("/note", Some("a\u{2028}b"), 4)), ["/note"]);
        let too_long = "x".repeat(10_000);
        assert_eq!(pointers(|checks| checks.text("/text1", Some(&too_long), TEXT_MAX)), ["/text1"]);
        assert!(pointers(|checks| checks.name("/name", &"ü".repeat(NAME_MAX))).is_empty());
        assert_eq!(pointers(|checks| checks.name("/name", &"ü".repeat(NAME_MAX + 1))), ["/name"]);
        for prefix in ["", "ABCDEF", "a-b", "é"] {
            assert_eq!(pointers(|checks| checks.prefix(Some(prefix))), ["/prefix"], "{prefix}");
        }
        assert!(pointers(|checks| checks.prefix(Some("aB9"))).is_empty());
        assert!(
            pointers(|checks| checks.style("/style", Some(r#"{"voucherText1Lbl":{"fontSize":"28px"}}"#)))
                .is_empty()
        );
        assert_eq!(pointers(|checks| checks.style("/style", Some("[]"))), ["/style"]);
        let twice_wrong = r#"{"voucherText1Lbl":{"fontSize":[28]},"sheet":"a5"}"#;
        assert_eq!(
            pointers(|checks| checks.style("/style", Some(twice_wrong))),
            ["/style/voucherText1Lbl/fontSize", "/style/sheet"]
        );
    }
}
