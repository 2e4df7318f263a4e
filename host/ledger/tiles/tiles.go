// Package tiles is a log on the web: [Handler] serves it to everybody, [Client]
// reads it and believes nothing that it has not verified.
//
// Checkpoint, tiles and entry bundles are those of C2SP tlog-tiles, so that every
// reader of such logs reads this one. Beside them stand the payloads, which the
// tree commits to by their hashes, and each channel with proofs, for who wants to
// read one channel and not the log: docs/formats/log.md.
//
// # A log that changes its history
//
// A Client remembers the newest checkpoint that it verified, in a file when it is
// given one, and takes a newer one only with the tree's own hashes to show that the
// old tree is its beginning. A log that was rewritten, forked, cut short or put back
// from an old backup is [ErrRewritten], with both checkpoints as evidence.
//
// # Limitations
//
// That a channel has no newer message than the log shows is the log's word; only
// who follows the whole log can tell. A Client without a file remembers nothing
// from one run to the next.
package tiles

import (
	"errors"
	"fmt"
	"strings"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// Resources of a log, below its URL.
const (
	pathCheckpoint = "checkpoint"
	pathTile       = "tile/"
	pathEntries    = "tile/entries/"
	pathPayloads   = "payloads/"
	pathPayload    = "payload/"
	pathChannel    = "channel/"
)

// Of a channel: query members, and the number that stands for its newest message.
const (
	queryFrom  = "from"
	queryCount = "n"
	fromLast   = "last"
)

const (
	// height is that of a tile, and width the hashes of a whole one: tlog-tiles.
	height = 8
	width  = 1 << height
	// maxPath bounds the path of a tile: the largest index has seven elements.
	maxPath = 64
	// maxLevel is the highest level of tlog-tiles; no tree reaches it.
	maxLevel = 63
	// removed stands for the length of a payload that was removed.
	removed = 1<<32 - 1
)

// levelEntries is the level of a bundle of entries, as package tlog has it.
const levelEntries = -1

var (
	// ErrURL refuses what is not the URL of a log or witness: see ParseURL.
	ErrURL = errors.New("not the URL of a log or witness")
	// ErrNoMessage says that a log's key signed for a leaf that is no message of anybody.
	ErrNoMessage = errors.New("leaf is no message")
	// ErrReadOnly refuses to write to a log that others serve.
	ErrReadOnly = errors.New("log served by others cannot be written to")
	// ErrRewritten says that a log is not the one that was seen before: see Rewritten.
	ErrRewritten = errors.New("log's history was changed")

	// errPath refuses what is not the path of a tile.
	errPath = errors.New("malformed path of a tile")
)

// tilePath returns the path of a tile: tile/<L>/<N>[.p/<W>], and tile/entries/… for
// levelEntries.
func tilePath(t merkle.Tile) string {
	path := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", t.H)) // package tlog has the height there
	if rest, ok := strings.CutPrefix(path, "data/"); ok {
		return pathEntries + rest
	}
	return pathTile + path
}

// parseTilePath reads what tilePath writes, and nothing else.
func parseTilePath(path string) (merkle.Tile, error) {
	rest, ok := strings.CutPrefix(path, pathTile)
	if !ok || len(path) > maxPath {
		return merkle.Tile{}, errPath
	}
	if bundle, ok := strings.CutPrefix(path, pathEntries); ok {
		rest = "data/" + bundle
	}
	t, err := merkle.ParseTilePath(fmt.Sprintf("tile/%d/%s", height, rest))
	if err != nil || t.N < 0 || t.L > maxLevel || tilePath(t) != path {
		return merkle.Tile{}, errPath
	}
	return t, nil
}
