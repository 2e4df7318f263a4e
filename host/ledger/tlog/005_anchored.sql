-- The newest checkpoint that another ledger recorded, and the evidence of that: one row.
CREATE TABLE anchored (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	checkpoint BLOB NOT NULL,
	evidence   BLOB NOT NULL
) STRICT;

-- Work that one of several processes does: who, and until when in Unix milliseconds.
CREATE TABLE lease (
	work   TEXT PRIMARY KEY,
	holder TEXT NOT NULL,
	until  INTEGER NOT NULL
) STRICT;
