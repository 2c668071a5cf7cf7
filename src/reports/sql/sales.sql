-- Sales of a period. Every report has the same parameters: groups ($1), machines ($2) and locations ($3), if
-- they matter; from when until before when whole months ($4, $5), the days at both ends of them ($6 to $9) and
-- what is left at both ends of those ($10 to $13); who asks ($14), for which group ($15); and the most rows ($16).
-- Where days or what is left go back in time, they are taken away.
WITH sale AS (
    SELECT shift, product, name, currency, quantity, revenue, starts AS at
    FROM sales_rollup
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND grain = 'month' AND starts >= $4 AND starts < $5
    UNION ALL
    SELECT shift, product, name, currency, times * quantity, times * revenue, CASE times WHEN 1 THEN starts END
    FROM sales_rollup,
         LATERAL (SELECT counts(starts, $6, $7) + counts(starts, $8, $9) AS times) c
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3))
      AND grain = 'day' AND ((starts >= LEAST($6, $7) AND starts < GREATEST($6, $7))
                            OR (starts >= LEAST($8, $9) AND starts < GREATEST($8, $9)))
    UNION ALL
    SELECT COALESCE(shift, 0), COALESCE(product, 0), name, currency, times * net_vends(price, paid, paid_back),
           times * net_price(price, paid, paid_back),
           CASE times WHEN 1 THEN occurred_local END
    FROM revenue_transaction_ever,
         LATERAL (SELECT counts(occurred_local, $10, $11) + counts(occurred_local, $12, $13) AS times) c
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3))
      -- No zone is a day away from UTC: which months of rows are looked at follows from the instant.
      AND ((occurred_local >= LEAST($10, $11) AND occurred_local < GREATEST($10, $11)
            AND occurred_at >= (LEAST($10, $11) - interval '1 day') AT TIME ZONE 'UTC'
            AND occurred_at < (GREATEST($10, $11) + interval '1 day') AT TIME ZONE 'UTC')
           OR (occurred_local >= LEAST($12, $13) AND occurred_local < GREATEST($12, $13)
               AND occurred_at >= (LEAST($12, $13) - interval '1 day') AT TIME ZONE 'UTC'
               AND occurred_at < (GREATEST($12, $13) + interval '1 day') AT TIME ZONE 'UTC'))
)
