-- Events of a period that last; parameters as for sales.
WITH event AS (
    SELECT code, error_identity, type, quantity, duration
    FROM events_rollup
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND type > 1
      AND grain = 'month' AND starts >= $4 AND starts < $5
    UNION ALL
    SELECT code, error_identity, type, times * quantity, times * duration
    FROM events_rollup,
         LATERAL (SELECT counts(starts, $6, $7) + counts(starts, $8, $9) AS times) c
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND type > 1
      AND grain = 'day' AND ((starts >= LEAST($6, $7) AND starts < GREATEST($6, $7))
                            OR (starts >= LEAST($8, $9) AND starts < GREATEST($8, $9)))
    UNION ALL
    SELECT code, COALESCE(error_identity, 0), type, times, times * COALESCE(duration, 0)
    FROM machine_log_ever,
         LATERAL (SELECT counts(occurred_local, $10, $11) + counts(occurred_local, $12, $13) AS times) c
    WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
      AND ($3::bigint[] IS NULL OR location = ANY($3)) AND type > 1
      AND ((occurred_local >= LEAST($10, $11) AND occurred_local < GREATEST($10, $11)
            AND occurred_at >= (LEAST($10, $11) - interval '1 day') AT TIME ZONE 'UTC'
            AND occurred_at < (GREATEST($10, $11) + interval '1 day') AT TIME ZONE 'UTC')
           OR (occurred_local >= LEAST($12, $13) AND occurred_local < GREATEST($12, $13)
               AND occurred_at >= (LEAST($12, $13) - interval '1 day') AT TIME ZONE 'UTC'
               AND occurred_at < (GREATEST($12, $13) + interval '1 day') AT TIME ZONE 'UTC'))
),
counted AS (
    SELECT code, error_identity, sum(quantity)::bigint AS quantity, sum(duration)::bigint AS duration,
           COALESCE(sum(quantity) FILTER (WHERE type = 3), 0)::bigint AS alarms
    FROM event
    GROUP BY code, error_identity
    HAVING sum(quantity) > 0
),
-- In the language of who asks, in the words of the nearest group that has some.
worded AS (
    SELECT c.*, NULLIF(c.error_identity, 0) AS identity,
           COALESCE((SELECT t.value FROM translation t
                     JOIN user_group_tree g ON g.ancestor = t.user_group AND g.descendant = $15
                     WHERE t.key = i.error AND t.value <> ''
                       AND t.language = (SELECT language FROM account WHERE id = $14)
                     ORDER BY g.depth LIMIT 1), i.error, c.code) AS error
    FROM counted c LEFT JOIN error_identity i ON i.id = c.error_identity
)
