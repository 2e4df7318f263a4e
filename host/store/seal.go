package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Sealer is a key under which rows are sealed: who can write a database, and has not the key, can make no row that holds. He can
// still remove rows, and put back one that stood there before.
type Sealer [32]byte

// String keeps the key out of logs.
func (Sealer) String() string { return "[redacted]" }

// GoString keeps it out of them, too.
func (k Sealer) GoString() string { return k.String() }

// Seal returns the HMAC-SHA-256 of a table's row with these values, which are int64, string or []byte, as drivers take and give
// them. It returns nil, which no row has, for a value of another type.
func (k Sealer) Seal(table string, values ...any) []byte {
	mac := hmac.New(sha256.New, k[:])
	buf := append(make([]byte, 0, 1024), table...)
	for _, value := range values {
		switch v := value.(type) {
		case int64:
			buf = binary.BigEndian.AppendUint64(append(buf, 'i'), uint64(v))
		case string:
			buf = append(binary.BigEndian.AppendUint32(append(buf, 's'), uint32(len(v))), v...)
		case []byte:
			buf = append(binary.BigEndian.AppendUint32(append(buf, 'b'), uint32(len(v))), v...)
		default:
			return nil
		}
	}
	mac.Write(buf)
	return mac.Sum(nil)
}

// Holds reports whether a seal is the one of a table's row with these values.
func (k Sealer) Holds(seal []byte, table string, values ...any) bool {
	want := k.Seal(table, values...)
	return want != nil && hmac.Equal(seal, want)
}
