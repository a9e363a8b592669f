-- A third kind of checkpoint between the newest and those of each midnight: where one resident has many readings in a
-- day, one that comes late or overtakes others is folded from shortly before it, and not from midnight.

ALTER TABLE checkpoint DROP CONSTRAINT checkpoint_kind_check,
    ADD CONSTRAINT checkpoint_kind_check CHECK (kind IN ('daily', 'recent', 'head')),
    -- Of a head: readings folded since the newest of the other kinds before it.
    ADD COLUMN readings integer NOT NULL DEFAULT 0,
    -- Of a recent one its number, of a head that of the newest recent one; by it they thin out with their age.
    ADD COLUMN place integer NOT NULL DEFAULT 0;
