//! UUIDs as ids of rows: version 7, by the clock of Postgres, and announced before they are drawn.
//!
//! Followers of a list by its ids pass over no row, because a reader stops at what is announced (see
//! migration `0001` and [`crate::http::list`]). That needs ids that rise from one transaction to the next,
//! whichever server draws them: so the time in them is Postgres', to the microsecond.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::{Builder, Uuid};

/// Bits of an id that say which one of its transaction it is.
const PLACE_BITS: u32 = 20;

/// Random bits behind them.
const RANDOM_BITS: u32 = 62 - PLACE_BITS;

/// Draws ids for new rows of a table, in order. They must be inserted in the same transaction.
pub async fn draw(
    db: &mut PgConnection,
    table: &'static str,
    count: usize,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let at: DateTime<Utc> =
        sqlx::query_scalar("SELECT announce_times($1::regclass)").bind(table).fetch_one(db).await?;
    Ok((0..count as u64).map(|place| id(at.timestamp_micros(), place, rand::random())).collect())
}

/// The least id that can be drawn at a time, in microseconds since 1970.
pub fn least(micros: i64) -> Uuid {
    id(micros, 0, 0)
}

/// Milliseconds as RFC 9562 has them, the microseconds behind them, the place, and chance.
fn id(micros: i64, place: u64, random: u64) -> Uuid {
    let micros = micros.max(0) as u64;
    // Twelve bits for a fraction of a millisecond.
    let fraction = (micros % 1_000) * 4_096 / 1_000;
    let tail = ((place % (1 << PLACE_BITS)) << RANDOM_BITS) | (random % (1 << RANDOM_BITS));
    let mut rest = [0; 10];
    rest[..2].copy_from_slice(&(fraction as u16).to_be_bytes());
    rest[2..].copy_from_slice(&tail.to_be_bytes());
    Builder::from_unix_timestamp_millis(micros / 1_000, &rest).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_of_version_7_and_says_when_it_was_drawn() {
        let id = id(1_796_000_000_123_456, 7, u64::MAX);
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_796_000_000, 123));
    }

    proptest! {
        #[test]
        fn ids_rise_with_the_microsecond_and_then_with_their_place(
            micros in 0i64..4_000_000_000_000_000, later in 1i64..5_000, places: [u16; 2], random: [u64; 3],
        ) {
            let place = |at: usize| u64::from(places[at]);
            prop_assert!(id(micros, place(0), random[0]) < id(micros + later, place(1), random[1]));
            prop_assert!(id(micros, place(0), random[0]) < id(micros, place(0) + 1, random[1]));
            prop_assert!(least(micros) <= id(micros, place(0), random[2]));
        }
    }
}
