-- The voucher log as it comes in. A sheet is what was asked within a few milliseconds: one row, without an
-- index of vouchers, so that a rush costs Postgres little. Entries are filed into voucher_log afterwards,
-- each voucher's to be found by its index.

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
    created_at timestamptz[] NOT NULL
);

-- A sheet is gone in a moment: to compress it would take longer than to write it.
ALTER TABLE voucher_log_sheet
    ALTER voucher SET STORAGE EXTERNAL, ALTER action SET STORAGE EXTERNAL, ALTER success SET STORAGE EXTERNAL,
    ALTER requester SET STORAGE EXTERNAL, ALTER location SET STORAGE EXTERNAL, ALTER request SET STORAGE EXTERNAL,
    ALTER response SET STORAGE EXTERNAL, ALTER currency SET STORAGE EXTERNAL, ALTER created_at SET STORAGE EXTERNAL;

CREATE FUNCTION voucher_log_entries(sheet voucher_log_sheet) RETURNS SETOF voucher_log IMMUTABLE LANGUAGE sql AS $$
    SELECT sheet.first + e.place - 1, e.voucher, e.action, e.success, e.requester, e.location, e.request, e.response,
        e.currency, e.created_at
    FROM unnest(sheet.voucher, sheet.action, sheet.success, sheet.requester, sheet.location, sheet.request,
                sheet.response, sheet.currency, sheet.created_at)
        WITH ORDINALITY AS e(voucher, action, success, requester, location, request, response, currency, created_at,
                             place)
$$;

-- Who asked for what, filed or not.
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
