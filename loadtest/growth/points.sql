-- From lines that `load run` printed, labelled "<x> <scenario>", to points with their spread. Each run is
-- held against the echo of its own round, so that a machine that slows down slows both.
CREATE TEMP TABLE line (nth bigint GENERATED ALWAYS AS IDENTITY, run jsonb);
\copy line (run) FROM pstdin
COPY (
    WITH run AS (
        SELECT split_part(run ->> 'label', ' ', 1)::bigint AS x, split_part(run ->> 'label', ' ', 2) AS scenario,
               row_number() OVER (PARTITION BY run ->> 'label' ORDER BY nth) AS round,
               (run ->> 'rps')::float8 AS rps, (run ->> 'p99_us')::float8 AS p99, run -> 'cpu_us_per_request' AS cpu,
               (run ->> 'refused')::bigint + (run ->> 'not_found')::bigint + (run ->> 'throttled')::bigint
                   + (run ->> 'unavailable')::bigint + (run ->> 'broken')::bigint + (run ->> 'wrong')::bigint AS unmeant,
               (run ->> 'spoilt')::boolean AS disturbed
        FROM line
    ),
    paired AS (
        SELECT run.*, echo.rps AS echo_rps, echo.p99 AS echo_p99, run.disturbed OR echo.disturbed AS pair_disturbed
        FROM run JOIN run echo ON echo.x = run.x AND echo.round = run.round AND echo.scenario = 'echo'
    ),
    measured AS (
        SELECT x, scenario, metric, value, disturbed
        FROM run, LATERAL (VALUES
            ('server_us', (cpu ->> CASE scenario WHEN 'echo' THEN 'echo' ELSE 'server' END)::float8),
            ('redis_us', (cpu ->> 'redis')::float8),
            ('postgres_us', (cpu ->> 'postgres')::float8),
            ('all_us', (cpu ->> 'server')::float8 + (cpu ->> 'redis')::float8 + (cpu ->> 'postgres')::float8),
            ('unmeant', unmeant)
        ) AS of_run (metric, value)
        WHERE scenario <> 'echo' OR metric = 'server_us'
        UNION ALL
        SELECT x, scenario, metric, value, pair_disturbed
        FROM paired, LATERAL (VALUES ('rps_to_echo', rps / echo_rps), ('p99_to_echo', p99 / echo_p99)) AS of_pair (metric, value)
        WHERE scenario <> 'echo'
    )
    SELECT :'question' AS question, x, scenario, metric,
           round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric, 3) AS value,
           round(min(value)::numeric, 3) AS lowest, round(max(value)::numeric, 3) AS highest,
           count(*) AS runs, count(*) FILTER (WHERE disturbed) AS disturbed
    FROM measured
    GROUP BY x, scenario, metric
    ORDER BY x, scenario, metric
) TO STDOUT (FORMAT csv, HEADER);
