-- Payments of a period, without those that reports leave out; parameters as for sales.
WITH taking AS (
    SELECT location, shift, method, type, report_group, currency, quantity, revenue
    FROM payments_rollup
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3))
      AND ((grain = 'month' AND starts >= $4 AND starts < $5) OR (grain = 'day' AND starts >= $6 AND starts < $7)
           OR (grain = 'day' AND starts >= $8 AND starts < $9))
    UNION ALL
    SELECT location, COALESCE(shift, 0), method, type, COALESCE(report_group, ''), currency, 1, price
    FROM payment_transaction_ever
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND NOT exclude
      AND ((occurred_local >= $10 AND occurred_local < $11
            AND occurred_at >= ($10 - interval '1 day') AT TIME ZONE 'UTC'
            AND occurred_at < ($11 + interval '1 day') AT TIME ZONE 'UTC')
           OR (occurred_local >= $12 AND occurred_local < $13
               AND occurred_at >= ($12 - interval '1 day') AT TIME ZONE 'UTC'
               AND occurred_at < ($13 + interval '1 day') AT TIME ZONE 'UTC'))
)
