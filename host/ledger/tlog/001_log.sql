-- The log itself: one row. The checkpoint commits to everything in entry.
CREATE TABLE log (
	id           INTEGER PRIMARY KEY CHECK (id = 1),
	origin       TEXT NOT NULL,
	verifier_key TEXT NOT NULL,
	checkpoint   BLOB NOT NULL
) STRICT;

-- Admitted channels. id is made from the author's key, so that entries of a
-- channel are found, and its missing row is noticed, without this table. head is
-- the leaf of the newest message, -1 for none: said a second time here so that a
-- row that went missing from entry is noticed.
CREATE TABLE channel (
	id     INTEGER PRIMARY KEY,
	author BLOB NOT NULL,
	head   INTEGER NOT NULL DEFAULT -1
) STRICT;

-- One leaf of the tree in each row. hashes are the leaf's hash and those of the
-- subtrees that it completes, level by level: all hashes of the tree in the order
-- of tlog.StoredHashIndex. The payload stands last, to be skipped in reading.
CREATE TABLE entry (
	leaf    INTEGER PRIMARY KEY,
	channel INTEGER NOT NULL REFERENCES channel (id),
	number  INTEGER NOT NULL,
	time    INTEGER NOT NULL,
	hashes  BLOB NOT NULL,
	stub    BLOB NOT NULL,
	payload BLOB NOT NULL,
	UNIQUE (channel, number)
) STRICT;
