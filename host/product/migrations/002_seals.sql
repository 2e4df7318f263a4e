-- Each row carries a mac over its table and all its values but added and bytes, under a key derived from the master secret: of a picture,
-- hash is that of the bytes.

ALTER TABLE images ADD COLUMN mac BLOB;
ALTER TABLE faces ADD COLUMN mac BLOB;
ALTER TABLE products ADD COLUMN mac BLOB;
ALTER TABLE assignments ADD COLUMN mac BLOB;
