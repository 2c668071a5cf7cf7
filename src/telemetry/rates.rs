//! What currencies are worth in one another, as an administrator keeps it.

use crate::{
    error::{Error, Result},
    fleet::catalogue::Currency,
    http::list::Kind,
    identity::directory::UserGroup,
    resource::{FieldType, Preset, Ref, resource},
    time::Moment,
};
use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, schema::Type};

resource! {
    /// What a unit of a currency is worth in another from a day on. Sums of money are converted by the
    /// latest rate that was valid then, of the nearest group that has one; a currency without one stays
    /// what it is.
    CurrencyRate "currency rate" at "/currencyrate" in "currency_rate";
    area "currencyrate";
    may ReportRead, ReportWrite;
    reach Downwards;
    does ALL;
    takes {
        /// The number of the currency that is converted (ISO 4217).
        #[eg("840")]
        currency: Ref<Currency>,
        /// The number of the currency that it is converted to.
        #[eg("978")]
        base: Ref<Currency>,
        /// How much of the latter one unit of the former is worth: euros for a dollar, not cents for a cent.
        #[eg("0.9215")]
        rate: RateField,
        /// The first day on which that holds.
        #[eg("\"2026-01-01\"")]
        valid_from: Day,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

/// The least and the most that a unit of one currency can be worth in another.
const RATES: (f64, f64) = (0.000_001, 1_000_000.0);

/// A decimal number that a rate can be.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RateField(f64);

impl<'de> Deserialize<'de> for RateField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rate = f64::deserialize(deserializer)?;
        if (RATES.0..=RATES.1).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(D::Error::custom("must be from 0.000001 to 1000000"))
        }
    }
}

impl FieldType for RateField {
    type Shown = f64;
    const KIND: Option<Kind> = Some(Kind::Real);

    fn takes() -> Schema {
        let number = ObjectBuilder::new().schema_type(Type::Number);
        number.minimum(Some(RATES.0)).maximum(Some(RATES.1)).into()
    }

    fn shows() -> Schema {
        ObjectBuilder::new().schema_type(Type::Number).into()
    }

    fn select(sql: &str) -> String {
        format!("{sql}::float8")
    }
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Day(NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Moment::parse(&String::deserialize(deserializer)?, chrono_tz::UTC) {
            Some(Moment::Date(day)) => Ok(Self(day)),
            _ => Err(D::Error::custom("must be a date, like 2026-12-31")),
        }
    }
}

impl FieldType for Day {
    type Shown = NaiveDate;
    const KIND: Option<Kind> = Some(Kind::Time);

    fn takes() -> Schema {
        let date = SchemaFormat::KnownFormat(KnownFormat::Date);
        ObjectBuilder::new().schema_type(Type::String).format(Some(date)).into()
    }
}

/// How a currency is converted from a day on.
#[derive(Clone, Debug)]
pub struct Rate {
    /// The code of the currency that it is converted to.
    pub base: String,
    valid_from: NaiveDate,
    /// The rate is `units / 10^scale`, exactly.
    units: i128,
    scale: u32,
    /// Digits of the minor units of both.
    exponents: (u32, u32),
}

impl Rate {
    /// An amount in minor units of the other currency, rounded to the nearest, half away from zero.
    pub fn convert(&self, amount: i64) -> i64 {
        let (own, base) = self.exponents;
        let product = i128::from(amount).saturating_mul(self.units);
        let ten = |digits: u32| 10_i128.checked_pow(digits).unwrap_or(i128::MAX);
        let down = self.scale + own;
        let converted = if down >= base {
            let unit = ten(down - base);
            let half = if product < 0 { -(unit / 2) } else { unit / 2 };
            product.saturating_add(half) / unit
        } else {
            product.saturating_mul(ten(base - down))
        };
        i64::try_from(converted).unwrap_or(if converted < 0 { i64::MIN } else { i64::MAX })
    }

    /// The rate as a number, to be shown.
    pub fn shown(&self) -> f64 {
        self.units as f64 / 10_f64.powi(self.scale as i32)
    }
}

/// The rates that a group goes by.
#[derive(Debug, Default)]
pub struct Rates(
    /// By currency and how far above the group they are kept; each by its first day.
    BTreeMap<(String, i32), Vec<Rate>>,
);

impl Rates {
    /// Those of these currencies that were valid by a day.
    pub async fn of(db: &mut PgConnection, group: i64, currencies: &[String], by: NaiveDate) -> Result<Self> {
        const SQL: &str = "
            SELECT c.code, g.depth, b.code, r.valid_from, r.rate::text, c.exponent, b.exponent
            FROM currency_rate r
            JOIN user_group_tree g ON g.ancestor = r.user_group AND g.descendant = $1
            JOIN currency c ON c.id = r.currency JOIN currency b ON b.id = r.base
            WHERE c.code = ANY($2) AND r.valid_from <= $3 AND r.currency <> r.base
            ORDER BY r.valid_from, r.id";
        type Row = (String, i32, String, NaiveDate, String, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(SQL).bind(group).bind(currencies).bind(by).fetch_all(db).await?;
        let mut rates = Self::default();
        for (code, depth, base, valid_from, rate, own_exponent, base_exponent) in rows {
            let (units, scale) = decimal(&rate).ok_or_else(|| Error::fault("a rate that is no number"))?;
            let exponents = (own_exponent as u32, base_exponent as u32);
            let rate = Rate { base, valid_from, units, scale, exponents };
            rates.0.entry((code, depth)).or_default().push(rate);
        }
        Ok(rates)
    }

    /// How a currency was converted on a day, if it was.
    pub fn on(&self, currency: &str, day: NaiveDate) -> Option<&Rate> {
        let from = (currency.to_owned(), i32::MIN);
        let mut kept = self.0.range(from..).take_while(|((code, _), _)| code == currency);
        kept.find_map(|(_, rates)| {
            let valid = rates.partition_point(|rate| rate.valid_from <= day);
            valid.checked_sub(1).map(|latest| &rates[latest])
        })
    }
}

/// `12.50` is 1250 and 2 digits behind the point.
fn decimal(text: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let units = format!("{whole}{fraction}").parse().ok()?;
    Some((units, fraction.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(base: &str, valid_from: &str, rate: &str, exponents: (u32, u32)) -> Rate {
        let (units, scale) = decimal(rate).unwrap();
        Rate { base: base.to_owned(), valid_from: valid_from.parse().unwrap(), units, scale, exponents }
    }

    #[test]
    fn an_amount_is_converted_between_minor_units_of_any_size() {
        let cases = [
            ("0.9215", (2, 2), 1_000, 922),
            ("0.9215", (2, 2), -1_000, -922),
            ("0.92", (2, 2), 1, 1),
            ("163.25", (2, 0), 250, 408),
            ("0.006", (0, 2), 1_000, 600),
            ("2.5", (2, 3), 3, 75),
            ("1000000", (0, 3), 2, 2_000_000_000),
            ("1000000", (0, 0), i64::MAX, i64::MAX),
            ("1000000", (0, 3), i64::MIN, i64::MIN),
        ];
        for (text, exponents, amount, expected) in cases {
            let rate = rate("EUR", "2026-01-01", text, exponents);
            assert_eq!(rate.convert(amount), expected, "{amount} at {text}, {exponents:?}");
        }
        assert!((rate("EUR", "2026-01-01", "0.9215", (2, 2)).shown() - 0.9215).abs() < 1e-12);
        assert_eq!(decimal("x"), None);
    }

    #[test]
    fn the_nearest_group_wins_among_those_with_a_rate_by_then() {
        let near = vec![rate("EUR", "2026-03-01", "0.9", (2, 2)), rate("EUR", "2026-04-01", "0.8", (2, 2))];
        let far = vec![rate("GBP", "2026-01-01", "0.7", (2, 2))];
        let rates = Rates(BTreeMap::from([(("USD".into(), 0), near), (("USD".into(), 2), far)]));
        let on = |currency: &str, day: &str| {
            let rate = rates.on(currency, day.parse().unwrap());
            rate.map(|rate| (rate.base.clone(), rate.convert(100)))
        };
        assert_eq!(on("USD", "2025-12-31"), None);
        assert_eq!(on("USD", "2026-02-28"), Some(("GBP".to_owned(), 70)));
        assert_eq!(on("USD", "2026-03-31"), Some(("EUR".to_owned(), 90)));
        assert_eq!(on("USD", "2026-04-01"), Some(("EUR".to_owned(), 80)));
        assert_eq!(on("SEK", "2026-04-01"), None);
    }

    proptest! {
        #[test]
        fn a_converted_amount_is_the_nearest_of_its_sign(
            amount in -1_000_000_000_000_i64..1_000_000_000_000,
            units in 1_i128..1_000_000_000,
            scale in 0_u32..9,
            exponents in (0_u32..4, 0_u32..4),
        ) {
            let valid_from = "2026-01-01".parse().unwrap();
            let rate = Rate { base: "EUR".to_owned(), valid_from, units, scale, exponents };
            let converted = rate.convert(amount);
            let clamped = converted == i64::MAX || converted == i64::MIN;
            prop_assert!(clamped || rate.convert(-amount) == -converted);
            // Twice the distance between converted and exact is at most one unit.
            let exact = i128::from(amount) * units * 10_i128.pow(exponents.1);
            let got = i128::from(converted) * 10_i128.pow(scale + exponents.0);
            prop_assert!(clamped || 2 * (exact - got).abs() <= 10_i128.pow(scale + exponents.0));
        }
    }
}
