-- When machines sell: spans of the week, in the time zone of the machine's location. Each span
-- belongs to one machine, or to one of the groups and places that stand above machines.

CREATE TABLE opening_hours (
    -- Higher is newer, and of what stands above a machine the newest holds.
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine        bigint REFERENCES machine ON DELETE CASCADE,
    machine_group  bigint REFERENCES machine_group ON DELETE CASCADE,
    location       bigint REFERENCES location ON DELETE CASCADE,
    location_group bigint REFERENCES location_group ON DELETE CASCADE,
    -- ISO 8601: 1 is Monday, 7 is Sunday.
    day            smallint NOT NULL CHECK (day BETWEEN 1 AND 7),
    start_time     time NOT NULL,
    -- Not after the start: on the next day.
    end_time       time NOT NULL,
    CHECK (num_nonnulls(machine, machine_group, location, location_group) = 1)
);
CREATE INDEX opening_hours_machine ON opening_hours (machine) WHERE machine IS NOT NULL;
CREATE INDEX opening_hours_machine_group ON opening_hours (machine_group) WHERE machine_group IS NOT NULL;
CREATE INDEX opening_hours_location ON opening_hours (location) WHERE location IS NOT NULL;
CREATE INDEX opening_hours_location_group ON opening_hours (location_group) WHERE location_group IS NOT NULL;
