-- Messages whose payload was removed: it is empty in entry, and here stands the log's
-- signed word for that.
CREATE TABLE removal (
	leaf      INTEGER PRIMARY KEY REFERENCES entry (leaf),
	statement BLOB NOT NULL
) STRICT;
