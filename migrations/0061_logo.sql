-- Logos can be drawings, which are as sharp in print as the printer is.

ALTER TABLE image_rendition DROP CONSTRAINT image_rendition_type_check;
ALTER TABLE image_rendition ADD CONSTRAINT image_rendition_type_check
    CHECK (type IN ('image/jpeg', 'image/png', 'image/svg+xml'));

-- What was sent as the logo of a campaign goes with the last campaign that shows it.
ALTER TABLE image ADD COLUMN sent_as_logo boolean NOT NULL DEFAULT false;
