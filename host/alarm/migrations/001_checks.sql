-- What was asked about cards, what of it was strange, and what people told. All times are Unix time in milliseconds.

CREATE TABLE sequence (
	name TEXT PRIMARY KEY,
	next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One tap URL that was shown to the service. The URL's signature is not kept, and of the client's network only a keyed hash.
CREATE TABLE checks (
	id        INTEGER PRIMARY KEY,
	issuer    BLOB    NOT NULL,
	card      BLOB    NOT NULL,
	code      TEXT    NOT NULL,
	fresh     INTEGER NOT NULL, -- 1: a tap that was not used before, so that the card itself was read for it
	counter   INTEGER NOT NULL,
	time      INTEGER NOT NULL,
	channel   TEXT    NOT NULL, -- web or api
	network   BLOB    NOT NULL, -- empty where it is not known
	placed    INTEGER NOT NULL, -- 1: the caller said where
	latitude  INTEGER NOT NULL, -- millionths of a degree
	longitude INTEGER NOT NULL,
	place     TEXT    NOT NULL
) STRICT;

CREATE INDEX checks_by_issuer ON checks (issuer, id);
CREATE INDEX checks_by_card ON checks (card, id);
CREATE INDEX checks_fresh ON checks (card, time) WHERE fresh = 1;
CREATE INDEX checks_by_time ON checks (time);
CREATE INDEX checks_for_charts ON checks (issuer, time, code);
CREATE INDEX checks_recorded ON checks (card, counter) WHERE code = 'recorded';
CREATE INDEX checks_placed ON checks (card, id) WHERE placed = 1 AND fresh = 1;

-- Counters that a card used and nobody recorded, by the tap that skipped them. It is evidence for as long as the card lives.
CREATE TABLE skipped (
	card    BLOB    NOT NULL,
	last    INTEGER NOT NULL,
	first   INTEGER NOT NULL,
	counter INTEGER NOT NULL,
	time    INTEGER NOT NULL,
	PRIMARY KEY (card, last)
) STRICT, WITHOUT ROWID;

CREATE TABLE alarms (
	id        INTEGER PRIMARY KEY,
	issuer    BLOB    NOT NULL,
	card      BLOB    NOT NULL,
	kind      TEXT    NOT NULL,
	raised    INTEGER NOT NULL,
	newest    INTEGER NOT NULL, -- time of the newest evidence
	seen      INTEGER NOT NULL, -- in how many checks
	evidence  TEXT    NOT NULL, -- JSON list, the oldest first
	published INTEGER NOT NULL, -- 1: others were told
	settled   INTEGER NOT NULL, -- when somebody had seen to it, or 0
	settled_by TEXT   NOT NULL
) STRICT;

CREATE UNIQUE INDEX alarms_open ON alarms (card, kind) WHERE settled = 0;
CREATE INDEX alarms_by_issuer ON alarms (issuer, id);
CREATE INDEX alarms_unpublished ON alarms (published, id);

CREATE TABLE reports (
	id        INTEGER PRIMARY KEY,
	issuer    BLOB    NOT NULL, -- zeros where nobody knows whose card it is
	card      BLOB    NOT NULL, -- empty where none was named
	code      TEXT    NOT NULL,
	text      TEXT    NOT NULL,
	contact   TEXT    NOT NULL,
	time      INTEGER NOT NULL,
	published INTEGER NOT NULL,
	settled   INTEGER NOT NULL,
	settled_by TEXT   NOT NULL
) STRICT;

CREATE INDEX reports_by_issuer ON reports (issuer, id);
CREATE INDEX reports_unpublished ON reports (published, id);
