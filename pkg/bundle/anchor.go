package bundle

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/record"
)

// KindCheckpoint is the kind of the record that puts a log's checkpoint on another
// ledger; its member "checkpoint" is the text of the signed note.
const KindCheckpoint = "log.checkpoint"

// anchors reports whether a body is the record of the bundle's checkpoint. The note may
// carry other signatures: what is anchored is the log's size and root.
func (v *verifier) anchors(body []byte) bool {
	r, err := record.Parse(body)
	if err != nil || r.Kind != KindCheckpoint {
		return false
	}
	var members map[string]json.RawMessage // exact names, and each once: Parse has seen to it
	var text string
	if json.Unmarshal(r.Raw, &members) != nil || json.Unmarshal(members["checkpoint"], &text) != nil {
		return false
	}
	return strings.HasPrefix(text, fmt.Sprintf("%s\n%d\n%s\n", v.origin, v.size, tlog.Hash(v.root)))
}
