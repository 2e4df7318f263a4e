-- The archive of one issuer's channels on a Stardust network: what its nodes
-- forget, kept when it happened, and what was signed and is not decided yet.

CREATE TABLE archive (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  network      TEXT    NOT NULL, -- its name, as nodes report it
  issuer       BLOB    NOT NULL, -- Ed25519 address that funds and governs the aliases
  milestone    BIGINT  NOT NULL, -- everything up to it is in these tables
  milestone_id BLOB,             -- of the last milestone that changed something
  identified   BIGINT  NOT NULL, -- and its index
  funded       BIGINT  NOT NULL, -- funding was read as of this milestone
  size         BIGINT  NOT NULL, -- number of entries
  ignored      BIGINT  NOT NULL  -- outputs under our issuer that are no message
);

-- A channel that was admitted; alias, output and raw are its current output.
CREATE TABLE channel (
  id     BLOB   PRIMARY KEY,
  alias  BLOB   UNIQUE,
  output BLOB,
  raw    BLOB,
  next   BIGINT NOT NULL, -- one more than the newest message's number
  first  BIGINT NOT NULL  -- messages with lower numbers are missing here
);

CREATE INDEX channel_missing ON channel (first) WHERE first > 0;

CREATE TABLE milestone (
  id  BIGINT PRIMARY KEY, -- index
  raw BLOB   NOT NULL     -- payload with the coordinator's signatures
);

-- A final message and what proves it.
CREATE TABLE entry (
  place   BIGINT PRIMARY KEY, -- milestone << 32 | index among the applied transactions
  channel BLOB   NOT NULL,
  number  BIGINT NOT NULL,
  time    BIGINT NOT NULL,    -- of the milestone, Unix milliseconds
  message BLOB   NOT NULL,
  block   BLOB   NOT NULL,
  size    BIGINT NOT NULL,    -- number of transactions that the milestone applied
  path    BLOB   NOT NULL,    -- audit path to its applied root, hashes joined
  UNIQUE (channel, number)
);

-- A signed transaction whose outcome is not known. A second one for the same
-- number is never signed while this one can still be applied.
CREATE TABLE pending (
  channel BLOB    NOT NULL,
  number  BIGINT  NOT NULL,
  hash    BLOB    NOT NULL,
  message BLOB    NOT NULL,
  tx      BLOB    NOT NULL UNIQUE, -- transaction id
  payload BLOB    NOT NULL,        -- the transaction
  input   BLOB,                    -- the state that it moves on; NULL when it creates one
  since   BIGINT  NOT NULL,        -- when it was taken, Unix milliseconds
  dead    INTEGER NOT NULL,        -- 1: another transaction has spent its funding
  PRIMARY KEY (channel, number)
);

-- Unspent outputs that the issuer's address can spend.
CREATE TABLE funding (
  output BLOB   PRIMARY KEY,
  raw    BLOB   NOT NULL,
  amount BIGINT NOT NULL,
  tx     BLOB                      -- pending transaction that spends it
);
