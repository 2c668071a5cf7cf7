-- Redemptions: the journal, the copies in Redis that are held against it, and the log of everything else that was
-- asked.
--
-- The journal names its voucher, campaign, machine and location by number, without foreign keys: an entry outlives
-- them, and a check of one would have every redemption lock rows of others.

-- The journal of redemptions and rollbacks. Append-only: balances and counters of vouchers can be recomputed from it
-- (`scrip verify`).
CREATE TABLE redemption (
    -- The idempotency key: four bytes of a hash of the code, then twelve of one of code, machine and order.
    id            uuid PRIMARY KEY,
    -- A hash of what was asked, to tell a repeat from another order under the same id.
    fingerprint   uuid NOT NULL,
    voucher       uuid NOT NULL,
    campaign      bigint NOT NULL,
    machine       bigint NOT NULL,
    location      bigint NOT NULL,
    requester     text NOT NULL,
    order_id      text NOT NULL,
    order_amount  bigint NOT NULL,
    amount_off    bigint NOT NULL CHECK (amount_off >= 0),
    -- A discount's value; a gift's balance after this redemption.
    voucher_value bigint NOT NULL,
    campaign_type text NOT NULL,
    currency      text NOT NULL,
    period_start  timestamptz NOT NULL,
    request       text NOT NULL,
    occurred_at   timestamptz NOT NULL
);
COMMENT ON COLUMN redemption.period_start IS 'voucher.period_start then: which period a rollback gives back to';
CREATE INDEX redemption_campaign ON redemption (campaign, occurred_at);
CREATE TRIGGER redemption_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON redemption
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- No index by voucher: rollbacks of one are read from the voucher log.
CREATE TABLE redemption_rollback (
    redemption    uuid PRIMARY KEY,
    voucher       uuid NOT NULL,
    campaign      bigint NOT NULL,
    machine       bigint NOT NULL,
    location      bigint NOT NULL,
    requester     text NOT NULL,
    order_id      text NOT NULL,
    amount_off    bigint NOT NULL,
    voucher_value bigint NOT NULL,
    currency      text NOT NULL,
    reason        text,
    occurred_at   timestamptz NOT NULL
);
CREATE INDEX redemption_rollback_campaign ON redemption_rollback (campaign, occurred_at);
CREATE TRIGGER redemption_rollback_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON redemption_rollback
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A redemption's id starts with four bytes of its code, so that the primary key also finds what a voucher was spent on.
-- An index of vouchers would lie all over a large journal, page by page.
CREATE FUNCTION first_redemption(code text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT rpad(encode(substr(sha256(convert_to(code, 'UTF8') || '\x00'), 1, 4), 'hex'), 32, '0')::uuid
$$;
COMMENT ON FUNCTION first_redemption IS 'The least id that a redemption of a code can have, given voucher.key';

CREATE FUNCTION last_redemption(code text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT rpad(left(first_redemption(code)::text, 8), 32, 'f')::uuid
$$;
COMMENT ON FUNCTION last_redemption IS 'The greatest id that a redemption of a code can have, given voucher.key';

-- Returns the redemptions of a voucher, given voucher.key. In variables, so that the planner sees how few ids there
-- are.
CREATE FUNCTION redemptions_of(of_voucher uuid, code text) RETURNS SETOF redemption STABLE ROWS 10 LANGUAGE plpgsql AS $$
DECLARE
    first uuid := first_redemption(code);
    last uuid := last_redemption(code);
BEGIN
    RETURN QUERY SELECT r.* FROM redemption r WHERE r.id BETWEEN first AND last AND r.voucher = of_voucher;
END $$;

-- Payments that redemptions leave, in the journal's transaction, until booking takes them to payment_transaction: a
-- table without an index costs a redemption least. Numbers are taken a hundred at a time, which is cheap.
CREATE SEQUENCE voucher_payment_id CACHE 100;
CREATE TABLE voucher_payment (
    id          bigint NOT NULL DEFAULT nextval('voucher_payment_id'),
    machine     bigint NOT NULL,
    location    bigint NOT NULL,
    price       bigint NOT NULL,
    currency    text NOT NULL,
    redemption  uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- The times that it counts in reports: a rollback's is -1.
    quantity    smallint NOT NULL DEFAULT 1
) WITH (
    -- Rows pass through: their remains are cleared away before there is much of it to read over.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    -- A vacuum that gives the empty end back keeps everyone out of the table meanwhile, and redemptions wait for that.
    vacuum_truncate = false
);
ALTER SEQUENCE voucher_payment_id OWNED BY voucher_payment.id;

-- ---------------------------------------------------------------------------------------------------------------
-- Copies in Redis, stamped with an epoch; raising it makes all of them worthless at once.

-- Returns the history of Postgres that copies are made from: the cluster, its timeline and its start. The first two
-- tell histories apart, the third notices a backup that was put back without a new timeline. Fails on a standby.
CREATE FUNCTION postgres_lineage() RETURNS text LANGUAGE sql AS $$
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/'
           || to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    FROM pg_control_system()
$$;

-- Returns the epoch after this one. Counted from time, so that a Postgres that went back hands out none a second time:
-- in seconds since 2020.
CREATE FUNCTION next_epoch(epoch bigint, known bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT GREATEST(epoch + 1, known + 1,
                    extract(epoch FROM clock_timestamp() - timestamptz '2020-01-01T00:00:00Z')::bigint)
$$;

CREATE TABLE hot_epoch (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch   bigint NOT NULL,
    -- The Redis server that the copies are in; another one (or the same, restarted) starts cold.
    run_id  text,
    -- A standby that was promoted and a backup that was restored may lack what Redis holds: where the lineage is
    -- another, every copy is declared worthless.
    lineage text
);
CREATE TRIGGER notice AFTER UPDATE ON hot_epoch FOR EACH ROW EXECUTE FUNCTION notice('epoch', 'epoch');
INSERT INTO hot_epoch (epoch, lineage) VALUES (next_epoch(0, 0), postgres_lineage());

-- ---------------------------------------------------------------------------------------------------------------
-- The voucher log: requests besides redemptions, which the journal holds: validations, refusals, releases, rollbacks.
-- By month, so that old months can be taken away whole.

CREATE SEQUENCE voucher_log_id CACHE 100;
CREATE TABLE voucher_log (
    id         bigint NOT NULL DEFAULT nextval('voucher_log_id'),
    voucher    uuid NOT NULL,
    action     text NOT NULL,
    success    boolean NOT NULL,
    requester  text NOT NULL,
    location   bigint NOT NULL,
    request    text NOT NULL,
    response   text NOT NULL,
    currency   text NOT NULL,
    created_at timestamptz NOT NULL,
    -- A voucher's log is listed by time. An entry that is written down late, as after an outage, has its place by when
    -- that was.
    written_at timestamptz
) PARTITION BY RANGE (created_at);
CREATE INDEX voucher_log_voucher ON voucher_log (voucher, created_at);
CREATE TABLE voucher_log_rest PARTITION OF voucher_log DEFAULT;

-- The log as it comes in. A sheet is what was asked within a few milliseconds: one row, without an index of vouchers,
-- so that a rush costs Postgres little. Entries are filed into voucher_log afterwards, each voucher's to be found by
-- its index.
CREATE TABLE voucher_log_sheet (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size       int NOT NULL,
    -- Number of the first entry; the others follow.
    first      bigint NOT NULL,
    -- An entry each, in the order of time.
    voucher    uuid[] NOT NULL,
    action     text[] NOT NULL,
    success    boolean[] NOT NULL,
    requester  text[] NOT NULL,
    location   bigint[] NOT NULL,
    request    text[] NOT NULL,
    response   text[] NOT NULL,
    currency   text[] NOT NULL,
    created_at timestamptz[] NOT NULL,
    written_at timestamptz[]
) WITH (vacuum_truncate = false, toast.vacuum_truncate = false); -- as of voucher_payment
-- A sheet is gone in a moment: to compress it would take longer than to write it.
ALTER TABLE voucher_log_sheet
    ALTER voucher SET STORAGE EXTERNAL, ALTER action SET STORAGE EXTERNAL, ALTER success SET STORAGE EXTERNAL,
    ALTER requester SET STORAGE EXTERNAL, ALTER location SET STORAGE EXTERNAL, ALTER request SET STORAGE EXTERNAL,
    ALTER response SET STORAGE EXTERNAL, ALTER currency SET STORAGE EXTERNAL, ALTER created_at SET STORAGE EXTERNAL;

CREATE FUNCTION voucher_log_entries(sheet voucher_log_sheet) RETURNS SETOF voucher_log IMMUTABLE LANGUAGE sql AS $$
    SELECT sheet.first + e.place - 1, e.voucher, e.action, e.success, e.requester, e.location, e.request, e.response,
        e.currency, e.created_at, e.written_at
    FROM unnest(sheet.voucher, sheet.action, sheet.success, sheet.requester, sheet.location, sheet.request,
                sheet.response, sheet.currency, sheet.created_at, sheet.written_at)
        WITH ORDINALITY AS e(voucher, action, success, requester, location, request, response, currency, created_at,
                             written_at, place)
$$;

-- The log, filed or not.
CREATE VIEW voucher_log_entry AS
    SELECT * FROM voucher_log
    UNION ALL
    SELECT e.* FROM voucher_log_sheet AS sheet, voucher_log_entries(sheet) AS e;

-- Files the oldest sheets, at least one and otherwise no more than about `entries`; returns how many sheets.
-- Sheets that another server files at the moment are left to it.
CREATE FUNCTION file_voucher_log(entries int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    filed int;
BEGIN
    WITH due AS (
        SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before
                        FROM (SELECT id, size FROM voucher_log_sheet ORDER BY id LIMIT entries) AS oldest) AS counted
        WHERE before < entries
    ), held AS (
        SELECT id FROM voucher_log_sheet WHERE id IN (SELECT id FROM due) ORDER BY id FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM voucher_log_sheet AS sheet WHERE id IN (SELECT id FROM held) RETURNING sheet AS sheet
    ), entered AS (
        -- A voucher's entries one after the other: its place in the index is looked for once.
        INSERT INTO voucher_log
        SELECT e.* FROM taken, voucher_log_entries(taken.sheet) AS e ORDER BY e.voucher, e.created_at
    )
    SELECT count(*) INTO filed FROM taken;
    RETURN filed;
END $$;

-- Returns for how long the oldest transaction that writes to the log has been at it. It says so by the locks that it
-- takes anyway: a redemption does not pay for this.
CREATE FUNCTION log_written_for() RETURNS interval LANGUAGE sql AS $$
    SELECT COALESCE(max(clock_timestamp() - CASE a.query
                            -- Another role's. How long is not for us to see.
                            WHEN '<insufficient privilege>' THEN clock_timestamp() - interval '1 hour'
                            -- None, where it has ended meanwhile.
                            ELSE a.xact_start END), interval '0')
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
      AND l.relation IN ('redemption'::regclass, 'voucher_log_sheet'::regclass)
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Requesters. A person who redeems or rolls back in a machine's place stands in the journal as `user:#<account>`: the
-- name is looked up when it is read, so that nothing of it stays once the person is erased.

-- Returns the device that an entry of the journal is about: as it called itself, or by its host name.
CREATE FUNCTION device_of(requester text, machine bigint) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT CASE WHEN requester LIKE 'user:#%' THEN (SELECT m.hostname FROM machine m WHERE m.id = machine) ELSE requester END
$$;

-- Returns the account of the person that an entry names, if it names one.
CREATE FUNCTION requester_account(requester text) RETURNS bigint IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT substring(requester FROM '^user:#([0-9]+)$')::bigint
$$;

-- Returns the name that an entry of the journal or the log has: a device, or `user:<name>`.
CREATE FUNCTION requester_name(requester text) RETURNS text STABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE WHEN requester LIKE 'user:#%'
        THEN 'user:' || COALESCE((SELECT username FROM account WHERE id = requester_account(requester)), '')
        ELSE requester END
$$;
