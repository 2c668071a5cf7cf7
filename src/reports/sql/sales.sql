-- Sales of a period. Every report has the same parameters: groups ($1), machines ($2) and locations ($3), if
-- they matter; from when until before when whole months ($4, $5), the days before and after them ($6 to $9) and
-- what is left at both ends ($10 to $13); who asks ($14), for which group ($15); and the most rows ($16).
WITH sale AS (
    SELECT shift, product, name, currency, quantity, revenue, starts AS at
    FROM sales_rollup
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3))
      AND ((grain = 'month' AND starts >= $4 AND starts < $5) OR (grain = 'day' AND starts >= $6 AND starts < $7)
           OR (grain = 'day' AND starts >= $8 AND starts < $9))
    UNION ALL
    SELECT COALESCE(shift, 0), COALESCE(product, 0), name, currency, 1, price, occurred_local
    FROM revenue_transaction_ever
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3))
      -- No zone is a day away from UTC: which months of rows are looked at follows from the instant.
      AND ((occurred_local >= $10 AND occurred_local < $11
            AND occurred_at >= ($10 - interval '1 day') AT TIME ZONE 'UTC'
            AND occurred_at < ($11 + interval '1 day') AT TIME ZONE 'UTC')
           OR (occurred_local >= $12 AND occurred_local < $13
               AND occurred_at >= ($12 - interval '1 day') AT TIME ZONE 'UTC'
               AND occurred_at < ($13 + interval '1 day') AT TIME ZONE 'UTC'))
),
-- A product may have had several names: by the name first, which keeps what is sorted small.
named AS (
    SELECT shift, product, name, currency, sum(quantity) AS quantity, sum(revenue) AS revenue, max(at) AS at
    FROM sale
    GROUP BY shift, product, name, currency
    HAVING sum(quantity) > 0
)
