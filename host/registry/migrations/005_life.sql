-- Why and when a card was revoked, and which device it was associated with when: times in milliseconds, by the ledger's. Empty for all
-- others; a row's mac is over these columns only where they are not.

ALTER TABLE heads ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE heads ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0;

ALTER TABLE heads ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE heads ADD COLUMN associated INTEGER NOT NULL DEFAULT 0;
