-- Servers may have a role that changes no schema (`SCRIP_MIGRATION_DATABASE_URL`): what makes, moves and drops months
-- does so as the schema's owner. A path of their own, so that nobody slips other tables under them.
DO $$
DECLARE
    of_months text;
BEGIN
    FOREACH of_months IN ARRAY ARRAY['make_months(text, text, date, int)', 'settle_rest(text, text)',
                                     'archive_months(text, date)', 'drop_month(text, date)']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', of_months, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', of_months);
    END LOOP;
END $$;

-- Lets a role do what servers do, and no more: no DDL; of the journal, only what adds to it.
CREATE FUNCTION grant_to_server(server text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    journal text;
BEGIN
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), server);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), server);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), server);
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', current_schema(), server);
    -- Months that are made later are the owner's too.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
                   current_schema(), server);
    FOREACH journal IN ARRAY ARRAY['redemption', 'redemption_rollback', 'activity'] LOOP
        IF to_regclass(journal) IS NOT NULL THEN
            EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', journal, server);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM %I', server);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION grant_to_server FROM %I', server);
END $$;
REVOKE EXECUTE ON FUNCTION grant_to_server FROM PUBLIC;
