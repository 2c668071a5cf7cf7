-- A brand with two regions, an operator in each, and twenty machines at five places.
DO $$
DECLARE
    brand bigint; north bigint; south bigint; polder bigint; spree bigint; english bigint;
    maker bigint; snack_model bigint; coffee_model bigint;
    snacks bigint; coffee bigint; stations bigint; offices bigint; downstairs bigint; upstairs bigint;
    places bigint[]; place bigint; machine_id bigint;
BEGIN
    INSERT INTO user_group (name) VALUES ('Fresh Vending') RETURNING id INTO brand;
    INSERT INTO language (user_group, name, language, locale) VALUES (brand, 'English', 'en', 'en-GB')
    RETURNING id INTO english;
    INSERT INTO language (user_group, name, language, locale)
    VALUES (brand, 'Nederlands', 'nl', 'nl-NL'), (brand, 'Deutsch', 'de', 'de-DE'), (brand, 'Français', 'fr', 'fr-FR');
    INSERT INTO user_group (name, parent) VALUES ('North', brand) RETURNING id INTO north;
    INSERT INTO user_group (name, parent) VALUES ('South', brand) RETURNING id INTO south;
    INSERT INTO user_group (name, parent) VALUES ('Polder Automaten', north) RETURNING id INTO polder;
    INSERT INTO user_group (name, parent) VALUES ('Spree Automaten', south) RETURNING id INTO spree;
    INSERT INTO account (username, email, language, user_group, email_confirmed)
    VALUES ('demo', 'demo@example.com', english, brand, true);

    INSERT INTO machine_type (user_group, name) VALUES (brand, 'Snacks') RETURNING id INTO snacks;
    INSERT INTO machine_type (user_group, name) VALUES (brand, 'Coffee') RETURNING id INTO coffee;
    INSERT INTO manufacturer (user_group, name) VALUES (brand, 'Automaat BV') RETURNING id INTO maker;
    INSERT INTO manufacturer_machine_type VALUES (maker, snacks), (maker, coffee);
    INSERT INTO error_profile (user_group, name, machine_type, manufacturer)
    VALUES (brand, 'Spirals', snacks, maker), (brand, 'Coffee', coffee, maker);
    INSERT INTO machine_model (user_group, name, manufacturer, machine_type, error_profile)
    SELECT brand, 'Snack 40', maker, snacks, id FROM error_profile WHERE machine_type = snacks
    RETURNING id INTO snack_model;
    INSERT INTO machine_model (user_group, name, manufacturer, machine_type, error_profile)
    SELECT brand, 'Barista 8', maker, coffee, id FROM error_profile WHERE machine_type = coffee
    RETURNING id INTO coffee_model;
    INSERT INTO location_group (user_group, name) VALUES (brand, 'Stations') RETURNING id INTO stations;
    INSERT INTO location_group (user_group, name) VALUES (brand, 'Offices') RETURNING id INTO offices;
    INSERT INTO machine_group (user_group, name) VALUES (brand, 'Ground floor') RETURNING id INTO downstairs;
    INSERT INTO machine_group (user_group, name) VALUES (brand, 'Upstairs') RETURNING id INTO upstairs;

    FOR n IN 1..5 LOOP
        INSERT INTO location (user_group, name, address, postcode, city, country, external_ref, time_zone)
        SELECT CASE WHEN n <= 3 THEN polder ELSE spree END, name, address, postcode, city, country, ref, zone
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
        INSERT INTO location_group_location VALUES (CASE WHEN n IN (1, 4) THEN stations ELSE offices END, place);
    END LOOP;

    FOR n IN 1..20 LOOP
        INSERT INTO machine (user_group, name, hostname, gateway, location, machine_type, machine_model, manufacturer)
        SELECT user_group, format('%s %s', name, 1 + (n - 1) / 5), 'vm-' || lpad(n::text, 4, '0'), 70000 + n, id,
               CASE n % 2 WHEN 0 THEN snacks ELSE coffee END,
               CASE n % 2 WHEN 0 THEN snack_model ELSE coffee_model END, maker
        FROM location WHERE id = places[1 + (n - 1) % 5]
        RETURNING id INTO machine_id;
        INSERT INTO machine_group_machine VALUES (CASE WHEN n <= 10 THEN downstairs ELSE upstairs END, machine_id);
    END LOOP;

    INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, redemption_limit, reset_frequency,
                          status, status_wanted, prefix, voucher_text1, voucher_text2, voucher_text4)
    VALUES (brand, 'Welcome: 50 cents off', 1000, 'discount', 50, 1, 'never', 'active', 'active', 'HELLO',
            'Welcome!', 'This one is on us', 'Scan the code at any of our machines'),
           (brand, 'Gift card of 10 euros', 200, 'gift', 1000, NULL, 'never', 'active', 'active', 'GIFT',
            'A gift for you', 'Spend it as you like', 'Good at every machine until nothing is left'),
           (brand, 'A coffee a day', 100, 'discount', 120, 1, 'day', 'active', 'active', 'DAILY',
            'A coffee a day', 'Every day a new one', NULL),
           (brand, 'Partners', 0, 'dynamic', 0, NULL, 'never', 'active', 'active', 'MIX', NULL, NULL, NULL);
END $$;
