-- A CHECK is evaluated at every update of a row, and read from the catalogue anew by every statement. A
-- redemption pays for one, about what it changes; terms are checked when they change.

ALTER TABLE voucher
    DROP CONSTRAINT voucher_redemption_count_check,
    DROP CONSTRAINT voucher_amount_redeemed_check,
    DROP CONSTRAINT voucher_total_redemption_count_check,
    DROP CONSTRAINT voucher_total_amount_redeemed_check,
    DROP CONSTRAINT voucher_balance_check,
    DROP CONSTRAINT voucher_check,
    DROP CONSTRAINT voucher_type_check,
    DROP CONSTRAINT voucher_value_check,
    DROP CONSTRAINT voucher_redemption_limit_check,
    DROP CONSTRAINT voucher_reset_frequency_check,
    DROP CONSTRAINT voucher_status_check,
    DROP CONSTRAINT voucher_pdf_status,
    -- LEAST passes over NULL: a discount has no balance.
    ADD CONSTRAINT voucher_state CHECK
        (LEAST(redemption_count, amount_redeemed, total_redemption_count, total_amount_redeemed, balance) >= 0);

CREATE FUNCTION voucher_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'voucher % cannot have such terms', NEW.id
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END $$;
-- AFTER, so that COPY goes on writing many rows at once. As with a CHECK, NULL passes.
CREATE TRIGGER voucher_terms
    AFTER INSERT OR UPDATE OF inherits, type, value, redemption_limit, reset_frequency, time_zone, status, pdf_status
    ON voucher FOR EACH ROW
    WHEN ((
        (NEW.inherits OR NEW.type IS NOT NULL AND NEW.value IS NOT NULL AND NEW.reset_frequency IS NOT NULL
                         AND NEW.time_zone IS NOT NULL)
        AND NEW.type IN ('discount', 'gift')
        AND NEW.value >= 0
        AND NEW.redemption_limit > 0
        AND NEW.reset_frequency IN ('day', 'week', 'month', 'never')
        AND NEW.status IN ('active', 'inactive')
        AND NEW.pdf_status IN ('empty', 'ready')
    ) IS FALSE)
    EXECUTE FUNCTION voucher_terms();
