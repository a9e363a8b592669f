-- The zone that a message's local times were read in, where it was assumed: should another resident have the device
-- when the message comes again, its readings must still be the same ones.

ALTER TABLE undated ADD COLUMN zone text CHECK (length(zone) BETWEEN 1 AND 64);
