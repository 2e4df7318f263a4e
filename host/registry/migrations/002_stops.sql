-- Channels with a record that this version must not skip and does not know: nothing from there on is folded. The catalogue in meta
-- tells which rows there are.

CREATE TABLE stops (
	channel BLOB PRIMARY KEY,
	number  INTEGER NOT NULL, -- of the record
	kind    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
