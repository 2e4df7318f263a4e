package console

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes rows under a header in aligned columns. A cell's control characters are replaced, so that a reader's
// or a card's name cannot move the cursor.
func Table(w io.Writer, header []string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	writeRow(t, header)
	for _, r := range rows {
		writeRow(t, r)
	}
	t.Flush()
}

// Fields writes name and value pairs in two aligned columns, leaving out pairs without a value.
func Fields(w io.Writer, pairs ...string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			writeRow(t, pairs[i:i+2])
		}
	}
	t.Flush()
}

func writeRow(w io.Writer, cells []string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = Clean(cell)
	}
	fmt.Fprintln(w, strings.TrimRight(strings.Join(clean, "\t"), "\t"))
}
