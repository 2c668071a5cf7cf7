//! Random sales, payments and events, as machines at several places may have sent them.

use chrono::{DateTime, Duration, Utc};
use rand::{RngExt, rngs::StdRng};
use sqlx::PgPool;

/// Places with the groups that they belong to: the last one is in New York.
const PLACES: [(i64, i64); 4] = [(1, 1), (2, 2), (3, 3), (4, 4)];

/// Machines, wherever they stood then.
const MACHINES: [i64; 6] = [11, 21, 22, 31, 41, 42];

/// Adds `count` of each. Rows come in any order, over both changes of clocks of Europe and America.
pub async fn add(db: &PgPool, random: &mut StdRng, count: usize) {
    let begins: DateTime<Utc> = "2025-10-20T00:00:00Z".parse().unwrap();
    let mut machines = Vec::new();
    let mut places = Vec::new();
    let mut groups = Vec::new();
    let mut shifts = Vec::new();
    let mut times = Vec::new();
    let mut dice: [Vec<i64>; 3] = Default::default();
    for _ in 0..count {
        let (place, group) = PLACES[random.random_range(0..4)];
        machines.push(MACHINES[random.random_range(0..6)]);
        places.push(place);
        groups.push(group);
        shifts.push((random.random_range(0..3) > 0).then(|| place * 10 + random.random_range(0..3)));
        // Half of them on the days around the changes of clocks.
        let hour = match random.random_range(0..6) {
            0 => random.random_range(5 * 24..8 * 24),
            1 => random.random_range(138 * 24..140 * 24),
            2 => random.random_range(159 * 24..161 * 24),
            _ => random.random_range(0..175 * 24),
        };
        times
            .push(begins + Duration::hours(hour) + Duration::milliseconds(random.random_range(0..3_600_000)));
        for dice in &mut dice {
            dice.push(random.random_range(0..1_000_000));
        }
    }
    let [first, second, third] = dice;
    for table in [SALES, PAYMENTS, EVENTS] {
        let query = sqlx::query(table).bind(&machines).bind(&places).bind(&groups).bind(&shifts).bind(&times);
        query.bind(&first).bind(&second).bind(&third).execute(db).await.unwrap();
    }
}

/// Products 901 and 902 are known and had several names; 911 and 912 are gone; some have no number at all.
const SALES: &str = "
    INSERT INTO revenue_transaction (machine, location, user_group, shift, occurred_at, time_zone, product, name,
                                     internal_ref, price, original_price, currency)
    SELECT m, l, g, s, t, CASE l WHEN 4 THEN 'America/New_York' ELSE 'Europe/Amsterdam' END,
           (ARRAY[901, 902, 911, 912, NULL])[a % 5 + 1],
           CASE WHEN a % 5 < 2 THEN (ARRAY['Old', 'Older'])[b % 2 + 1]
                WHEN a % 5 < 4 THEN 'Gone ' || a % 5 ELSE (ARRAY['Tea', 'Soup'])[b % 2 + 1] END,
           CASE WHEN a % 5 = 0 THEN 'REF' END, c % 500, c % 500, (ARRAY['EUR', 'USD'])[b % 2 + 1]
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
                $7::bigint[], $8::bigint[]) r(m, l, g, s, t, a, b, c)";

const PAYMENTS: &str = "
    INSERT INTO payment_transaction (machine, location, user_group, shift, occurred_at, time_zone, method, type, price,
                                     currency, exclude, report_group)
    SELECT m, l, g, s, t, CASE l WHEN 4 THEN 'America/New_York' ELSE 'Europe/Amsterdam' END,
           (ARRAY['cash', 'card', 'code'])[a % 3 + 1], (ARRAY['cash', 'test', 'voucher', 'other'])[b % 4 + 1],
           c % 500 - 50, (ARRAY['EUR', 'USD'])[b % 2 + 1], a % 10 = 0, (ARRAY['C', 'T', NULL])[c % 3 + 1]
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
                $7::bigint[], $8::bigint[]) r(m, l, g, s, t, a, b, c)";

const EVENTS: &str = "
    INSERT INTO machine_log (machine, location, user_group, occurred_at, time_zone, code, error_identity, type,
                             duration)
    SELECT m, l, g, t, CASE l WHEN 4 THEN 'America/New_York' ELSE 'Europe/Amsterdam' END, 'E' || a % 4,
           CASE WHEN a % 4 = 1 THEN 1 WHEN a % 4 = 2 AND s IS NULL THEN 999 END, b % 3 + 1,
           CASE WHEN c % 3 > 0 THEN c % 1000 END
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
                $7::bigint[], $8::bigint[]) r(m, l, g, s, t, a, b, c)";
