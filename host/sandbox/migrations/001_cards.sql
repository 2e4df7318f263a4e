-- Test cards, with their private keys: what a real card never gives away. They prove nothing.

CREATE TABLE cards (
	id      BLOB PRIMARY KEY,
	name    TEXT    NOT NULL,
	made    INTEGER NOT NULL, -- milliseconds
	secret  BLOB    NOT NULL, -- P-256 scalar
	prefix  TEXT    NOT NULL,
	middle  TEXT    NOT NULL,
	counter INTEGER NOT NULL, -- the last one that was used
	ready   INTEGER NOT NULL  -- 1: registered and in service
) STRICT, WITHOUT ROWID;
