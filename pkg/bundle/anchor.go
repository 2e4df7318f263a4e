package bundle

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/record"
)

// anchors reports whether a body is the record of the bundle's checkpoint. The note may
// carry other signatures: what is anchored is the log's size and root.
func (v *verifier) anchors(body []byte) bool {
	r, err := record.ParseLogCheckpoint(body)
	return err == nil && strings.HasPrefix(r.Checkpoint, fmt.Sprintf("%s\n%d\n%s\n", v.origin, v.size, tlog.Hash(v.root)))
}
