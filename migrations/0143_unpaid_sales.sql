-- Observers of sales that no payment came for.

DO $loosen$
DECLARE
    former text;
BEGIN
    -- Only an event was there to be resolved.
    SELECT conname INTO STRICT former FROM pg_constraint
    WHERE conrelid = 'alert_observer'::regclass AND contype = 'c'
      AND pg_get_constraintdef(oid) LIKE '%non_resolution%' AND pg_get_constraintdef(oid) LIKE '%event%'
      AND pg_get_constraintdef(oid) NOT LIKE '%non_occurrence%';
    EXECUTE format('ALTER TABLE alert_observer DROP CONSTRAINT %I', former);
END $loosen$;

-- Most sales come with their payments, and are never in here.
CREATE INDEX revenue_transaction_unpaid ON revenue_transaction (machine, occurred_at)
    WHERE num_payment_transactions = 0 AND price > 0;
CREATE INDEX revenue_transaction_archive_unpaid ON revenue_transaction_archive (machine, occurred_at)
    WHERE num_payment_transactions = 0 AND price > 0;

-- A payment that comes late ends what its sale's observer fires for.
CREATE FUNCTION sale_changed_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM alert_observer WHERE type = 'transaction' AND observer = 'non_resolution') THEN
        INSERT INTO alert_look (machine, type)
        SELECT DISTINCT a.machine, 'transaction' FROM arrived a
        JOIN alert_watch w ON w.machine = a.machine JOIN alert_observer o ON o.id = w.alert_observer
        WHERE o.type = 'transaction' AND o.observer = 'non_resolution';
        IF FOUND THEN
            PERFORM pg_notify('scrip', 'alert:0');
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER look_changed AFTER UPDATE ON revenue_transaction REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION sale_changed_look();
CREATE TRIGGER look_changed AFTER UPDATE ON revenue_transaction_archive REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION sale_changed_look();
