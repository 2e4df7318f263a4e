package bundle

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// KindCheckpoint is the kind of the record that puts a log's checkpoint on another
// ledger; its member "checkpoint" is the text of the signed note.
const KindCheckpoint = "log.checkpoint"

// anchors reports whether a body is the record of this checkpoint. The note may carry
// other signatures: what is anchored is the log's size and root.
func anchors(body []byte, c ledger.Checkpoint) bool {
	r, err := record.Parse(body)
	if err != nil || r.Kind != KindCheckpoint {
		return false
	}
	var members map[string]json.RawMessage // exact names, and each once: Parse has seen to it
	var text string
	if json.Unmarshal(r.Raw, &members) != nil || json.Unmarshal(members["checkpoint"], &text) != nil {
		return false
	}
	return strings.HasPrefix(text, fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root))
}
