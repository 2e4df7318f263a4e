-- For each log the newest checkpoint that this witness cosigned: the text that it
-- serves, with the signatures of log and witness.
CREATE TABLE latest (
	origin     TEXT PRIMARY KEY,
	checkpoint BLOB NOT NULL
) STRICT;
