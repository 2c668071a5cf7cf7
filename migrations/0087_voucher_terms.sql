-- A voucher takes from its campaign what it was not given itself, field by field: NULL stands for that in
-- every term. Before, one with terms of its own had a period and a zone of its own, too.

DROP TRIGGER voucher_terms ON voucher;
-- AFTER, so that COPY goes on writing many rows at once. As with a CHECK, NULL passes.
CREATE TRIGGER voucher_terms
    AFTER INSERT OR UPDATE OF inherits, type, value, redemption_limit, reset_frequency, time_zone, status, pdf_status
    ON voucher FOR EACH ROW
    WHEN ((
        (NEW.inherits OR NEW.type IS NOT NULL)
        AND NEW.type IN ('discount', 'gift')
        AND NEW.value >= 0
        AND NEW.redemption_limit > 0
        AND NEW.reset_frequency IN ('day', 'week', 'month', 'never')
        AND NEW.status IN ('active', 'inactive')
        AND NEW.pdf_status IN ('empty', 'ready')
    ) IS FALSE)
    EXECUTE FUNCTION voucher_terms();

COMMENT ON COLUMN voucher.inherits IS 'Follows its campaign in everything; the terms are NULL then';

-- A machine's name is looked for before the gateways of others.
CREATE TRIGGER notice_name AFTER INSERT ON machine
    FOR EACH ROW WHEN (NEW.hostname ~ '^[0-9]+$') EXECUTE FUNCTION notice('machine', 'id');

-- Terms are packed in another form in Redis.
UPDATE hot_epoch SET epoch = epoch + 1;
