-- Where an issuer or a card moved last: origin of a log, or name of a network. Empty for those that never did; a row's mac is over
-- these columns only where they are not.

ALTER TABLE issuers ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE issuers ADD COLUMN moved INTEGER NOT NULL DEFAULT 0; -- 1: and its channel was not continued yet

ALTER TABLE heads ADD COLUMN place TEXT NOT NULL DEFAULT '';
ALTER TABLE heads ADD COLUMN was TEXT NOT NULL DEFAULT ''; -- the state before, of a card that moved and was not continued yet
