-- Reads that are kept to be looked at, and that no other read is held against: `cut` off before their end, or of
-- `another` machine.
ALTER TABLE audit_read ADD apart text CHECK (apart IN ('cut', 'another'));
