-- A brand with two regions, an operator in each, and twenty machines at five places.
DO $$
DECLARE
    brand bigint; north bigint; south bigint; operators bigint[2]; english bigint; types bigint[2];
    places bigint[5]; zones bigint[2]; floors bigint[2]; place bigint; machine_id bigint; operator bigint;
BEGIN
    INSERT INTO language (name, language, locale) VALUES ('English', 'en', 'en-GB') RETURNING id INTO english;
    INSERT INTO language (name, language, locale)
    VALUES ('Nederlands', 'nl', 'nl-NL'), ('Deutsch', 'de', 'de-DE'), ('Français', 'fr', 'fr-FR');

    INSERT INTO user_group (name) VALUES ('Fresh Vending') RETURNING id INTO brand;
    INSERT INTO user_group (name, parent) VALUES ('North', brand) RETURNING id INTO north;
    INSERT INTO user_group (name, parent) VALUES ('South', brand) RETURNING id INTO south;
    INSERT INTO user_group (name, parent) VALUES ('Polder Automaten', north) RETURNING id INTO operators[1];
    INSERT INTO user_group (name, parent) VALUES ('Spree Automaten', south) RETURNING id INTO operators[2];
    INSERT INTO account (username, email, language, user_group, email_confirmed)
    VALUES ('demo', 'demo@example.com', english, brand, true);

    INSERT INTO machine_type (user_group, name) VALUES (brand, 'Snacks') RETURNING id INTO types[1];
    INSERT INTO machine_type (user_group, name) VALUES (brand, 'Coffee') RETURNING id INTO types[2];
    INSERT INTO location_group (user_group, name) VALUES (brand, 'Stations') RETURNING id INTO zones[1];
    INSERT INTO location_group (user_group, name) VALUES (brand, 'Offices') RETURNING id INTO zones[2];
    INSERT INTO machine_group (user_group, name) VALUES (brand, 'Ground floor') RETURNING id INTO floors[1];
    INSERT INTO machine_group (user_group, name) VALUES (brand, 'Upstairs') RETURNING id INTO floors[2];

    FOR n IN 1..5 LOOP
        operator := operators[CASE WHEN n <= 3 THEN 1 ELSE 2 END];
        INSERT INTO location (user_group, name, address, postcode, city, country, external_ref, time_zone)
        SELECT operator, name, address, postcode, city, country, ref, zone
        FROM (VALUES
            (1, 'Centraal', 'Stationsplein 1', '1012 AB', 'Amsterdam', 'NL', 'AMS-01', 'Europe/Amsterdam'),
            (2, 'Campus', 'Heidelberglaan 8', '3584 CS', 'Utrecht', 'NL', 'UTR-01', 'Europe/Amsterdam'),
            (3, 'Kade', 'Wilhelminakade 1', '3072 AP', 'Rotterdam', 'NL', 'RTM-01', 'Europe/Amsterdam'),
            (4, 'Hauptbahnhof', 'Europaplatz 1', '10557', 'Berlin', 'DE', 'BER-01', 'Europe/Berlin'),
            (5, 'Market Street', 'Market Street 1', '10004', 'New York', 'US', 'NYC-01', 'America/New_York')
        ) AS known (number, name, address, postcode, city, country, ref, zone)
        WHERE number = n
        RETURNING id INTO place;
        places[n] := place;
        INSERT INTO location_group_location VALUES (zones[CASE WHEN n IN (1, 4) THEN 1 ELSE 2 END], place);
    END LOOP;

    FOR n IN 1..20 LOOP
        INSERT INTO machine (user_group, name, hostname, gateway, location, machine_type)
        SELECT user_group, format('%s %s', name, 1 + (n - 1) / 5), 'vm-' || lpad(n::text, 4, '0'), 70000 + n, id,
               types[1 + n % 2]
        FROM location WHERE id = places[1 + (n - 1) % 5]
        RETURNING id INTO machine_id;
        INSERT INTO machine_group_machine VALUES (floors[CASE WHEN n <= 10 THEN 1 ELSE 2 END], machine_id);
    END LOOP;

    INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, redemption_limit, reset_frequency,
                          status, status_wanted, prefix)
    VALUES (brand, 'Welcome: 50 cents off', 1000, 'discount', 50, 1, 'never', 'active', 'active', 'HELLO'),
           (brand, 'Gift card of 10 euros', 200, 'gift', 1000, NULL, 'never', 'active', 'active', 'GIFT'),
           (brand, 'A coffee a day', 100, 'discount', 120, 1, 'day', 'active', 'active', 'DAILY'),
           (brand, 'Partners', 0, 'dynamic', 0, NULL, 'never', 'active', 'active', 'MIX');
END $$;
