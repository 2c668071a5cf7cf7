-- What clients leave out of flavours, extras and reports: a number, a name, a period.

-- Gives a flavour or an extra the number behind the highest of its machine's (or, where that is the last there can be,
-- behind the highest that none follows), and names it after its number. Whoever adds one holds the machine's row.
CREATE FUNCTION part_defaults() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.plu IS NULL THEN
        EXECUTE format(
            'SELECT p.plu + 1 FROM (SELECT 0::bigint AS plu UNION ALL SELECT plu FROM %1$I WHERE machine = $1) p
             WHERE p.plu < 2147483647
               AND NOT EXISTS (SELECT FROM %1$I taken WHERE taken.machine = $1 AND taken.plu = p.plu + 1)
             ORDER BY p.plu DESC LIMIT 1', TG_TABLE_NAME)
        INTO NEW.plu USING NEW.machine;
    END IF;
    NEW.name := COALESCE(NEW.name, NEW.plu::text);
    RETURN NEW;
END $$;
CREATE TRIGGER defaults BEFORE INSERT ON product_flavour FOR EACH ROW EXECUTE FUNCTION part_defaults();
CREATE TRIGGER defaults BEFORE INSERT ON product_extra FOR EACH ROW EXECUTE FUNCTION part_defaults();

CREATE FUNCTION report_defaults() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := COALESCE(NEW.name, 'Report ' || NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER defaults BEFORE INSERT ON report FOR EACH ROW EXECUTE FUNCTION report_defaults();
-- A report without one is a draft.
ALTER TABLE report ALTER period1 DROP NOT NULL;
