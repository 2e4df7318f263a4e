-- Which channels an issuer's succeeded because their newest messages were lost, in base64url, newest first, with spaces between them; which
-- of them registered a card that was carried over; and until when that history is known, in milliseconds. Empty for all others; a
-- row's mac is over these columns only where they are not.

ALTER TABLE issuers ADD COLUMN previous TEXT NOT NULL DEFAULT '';
ALTER TABLE issuers ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

ALTER TABLE cards ADD COLUMN previous TEXT NOT NULL DEFAULT '';
ALTER TABLE cards ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
