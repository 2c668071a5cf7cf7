-- Payments of a period, without those that reports leave out; parameters as for sales.
WITH taking AS (
    SELECT location, shift, method, type, report_group, currency, quantity, revenue
    FROM payments_rollup
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND grain = 'month' AND starts >= $4 AND starts < $5
    UNION ALL
    SELECT location, shift, method, type, report_group, currency, times * quantity, times * revenue
    FROM payments_rollup,
         LATERAL (SELECT counts(starts, $6, $7) + counts(starts, $8, $9) AS times) c
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3))
      AND grain = 'day' AND ((starts >= LEAST($6, $7) AND starts < GREATEST($6, $7))
                            OR (starts >= LEAST($8, $9) AND starts < GREATEST($8, $9)))
    UNION ALL
    SELECT location, COALESCE(shift, 0), method, type, COALESCE(report_group, ''), currency, times * quantity, times * price
    FROM payment_transaction_ever,
         LATERAL (SELECT counts(occurred_local, $10, $11) + counts(occurred_local, $12, $13) AS times) c
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND NOT exclude
      AND ((occurred_local >= LEAST($10, $11) AND occurred_local < GREATEST($10, $11)
            AND occurred_at >= (LEAST($10, $11) - interval '1 day') AT TIME ZONE 'UTC'
            AND occurred_at < (GREATEST($10, $11) + interval '1 day') AT TIME ZONE 'UTC')
           OR (occurred_local >= LEAST($12, $13) AND occurred_local < GREATEST($12, $13)
               AND occurred_at >= (LEAST($12, $13) - interval '1 day') AT TIME ZONE 'UTC'
               AND occurred_at < (GREATEST($12, $13) + interval '1 day') AT TIME ZONE 'UTC'))
)
