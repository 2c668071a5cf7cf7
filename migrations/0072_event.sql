-- What happens to machines: by month, and counted as it arrives.

CREATE SEQUENCE machine_log_id;
CREATE TABLE machine_log (
    id             bigint NOT NULL DEFAULT nextval('machine_log_id'),
    -- The machine's own number of it; none of what is noticed here, like a machine that is silent.
    remote         bigint,
    machine        bigint NOT NULL,
    location       bigint NOT NULL,
    user_group     bigint NOT NULL,
    occurred_at    timestamptz NOT NULL,
    time_zone      text NOT NULL,
    occurred_local timestamp GENERATED ALWAYS AS (occurred_at AT TIME ZONE time_zone) STORED,
    code           text NOT NULL,
    error_identity bigint,
    -- 1: a message; 2: an issue; 3: an alarm. The latter two last until they are resolved.
    type           smallint NOT NULL CHECK (type BETWEEN 1 AND 3),
    -- Seconds that it lasted, once that is known.
    duration       bigint,
    extra_data     text,
    resolved_at    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX machine_log_user_group ON machine_log (user_group, id);
CREATE INDEX machine_log_remote ON machine_log (machine, remote);
CREATE INDEX machine_log_machine ON machine_log (machine, occurred_at);
CREATE INDEX machine_log_open ON machine_log (machine, code) WHERE resolved_at IS NULL AND type > 1;
CREATE TABLE machine_log_rest PARTITION OF machine_log DEFAULT;
CREATE TABLE machine_log_archive (LIKE machine_log INCLUDING ALL) PARTITION BY RANGE (occurred_at);
CREATE VIEW machine_log_ever AS SELECT * FROM machine_log UNION ALL SELECT * FROM machine_log_archive;

-- How often what happened and how long it lasted, by the clock on the wall.
CREATE TABLE events_rollup (
    machine        bigint NOT NULL,
    grain          text NOT NULL CHECK (grain IN ('day', 'month')),
    starts         timestamp NOT NULL,
    location       bigint NOT NULL,
    user_group     bigint NOT NULL,
    code           text NOT NULL,
    -- 0 where the code is nobody's.
    error_identity bigint NOT NULL,
    type           smallint NOT NULL,
    quantity       bigint NOT NULL,
    -- Seconds, of those that have ended.
    duration       bigint NOT NULL,
    PRIMARY KEY (machine, grain, starts, location, user_group, code, error_identity, type)
) WITH (fillfactor = 85);
CREATE INDEX events_rollup_user_group ON events_rollup (user_group, grain, starts);

DO $make$
DECLARE
    event record;
BEGIN
    FOR event IN
        SELECT * FROM (VALUES ('arrived', 'INSERT', 'NEW TABLE AS arrived', 'SELECT 1 AS n, arrived.* FROM arrived'),
                              ('changed', 'UPDATE', 'NEW TABLE AS arrived OLD TABLE AS gone',
                               'SELECT 1 AS n, arrived.* FROM arrived UNION ALL SELECT -1, gone.* FROM gone'))
            AS e(word, operation, tables, rows)
    LOOP
        EXECUTE format($function$
            CREATE FUNCTION events_%1$s() RETURNS trigger LANGUAGE plpgsql AS $body$
            BEGIN
                INSERT INTO events_rollup AS r
                    (machine, grain, starts, location, user_group, code, error_identity, type, quantity, duration)
                SELECT t.machine, s.grain, s.starts, t.location, t.user_group, t.code,
                       COALESCE(t.error_identity, 0) AS error_identity, t.type,
                       sum(t.n), sum(t.n * COALESCE(t.duration, 0))
                FROM (%2$s) t,
                     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
                HAVING sum(t.n) <> 0 OR sum(t.n * COALESCE(t.duration, 0)) <> 0
                ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
                ON CONFLICT (machine, grain, starts, location, user_group, code, error_identity, type)
                DO UPDATE SET quantity = r.quantity + excluded.quantity, duration = r.duration + excluded.duration;
                RETURN NULL;
            END $body$;
            CREATE TRIGGER roll_up_%1$s AFTER %3$s ON machine_log REFERENCING %4$s
                FOR EACH STATEMENT EXECUTE FUNCTION events_%1$s();
            CREATE TRIGGER roll_up_%1$s AFTER %3$s ON machine_log_archive REFERENCING %4$s
                FOR EACH STATEMENT EXECUTE FUNCTION events_%1$s();
        $function$, event.word, event.rows, event.operation, event.tables);
    END LOOP;
END $make$;

-- Since when a machine counts as offline: there is an open event of it then.
ALTER TABLE machine_presence ADD offline_since timestamptz;
