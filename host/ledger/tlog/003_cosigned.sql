-- The newest checkpoint that witnesses cosigned, with their signatures: one row.
CREATE TABLE cosigned (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	checkpoint BLOB NOT NULL
) STRICT;
