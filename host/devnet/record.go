package devnet

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// record is the file network.json: what the network is, for good, and the ports it was last reached by.
type record struct {
	Version     int      `json:"version"`
	Name        string   `json:"name"`
	Nodes       int      `json:"nodes"`
	MilestoneMS int64    `json:"milestoneMs"`
	Fast        bool     `json:"fast"`
	Keep        int      `json:"keepMilestones,omitempty"`
	Coordinator [][]byte `json:"coordinator"` // public keys
	Ports       []ports  `json:"ports"`       // on the machine's loopback
}

// ports are those of one node.
type ports struct {
	REST int `json:"rest"`
	INX  int `json:"inx"`
	Peer int `json:"peer,omitempty"` // inside only
}

const recordVersion = 1

// maxMilestoneMS is an hour: beyond it a number of milliseconds is a mistake.
const maxMilestoneMS = 60 * 60 * 1000

func readRecord(dir string) (record, error) {
	text, err := os.ReadFile(filepath.Join(dir, "network.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, emptyOrForeign(dir)
	}
	if err != nil {
		return record{}, err
	}
	return parseRecord(text)
}

// parseRecord reads a record of which everything that others rely on is there.
func parseRecord(text []byte) (record, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("%w: network.json: %w", ErrForeign, err)
	}
	if r.Version != recordVersion || r.Nodes != len(r.Ports) || r.Nodes != 1 && r.Nodes != 3 || r.MilestoneMS <= 0 || r.MilestoneMS > maxMilestoneMS || len(r.Coordinator) == 0 {
		return record{}, fmt.Errorf("%w: network.json is of another version, or damaged", ErrForeign)
	}
	for _, k := range r.Coordinator {
		if len(k) != ed25519.PublicKeySize {
			return record{}, fmt.Errorf("%w: network.json is damaged", ErrForeign)
		}
	}
	for _, p := range r.Ports {
		if p.REST < 0 || p.REST > math.MaxUint16 || p.INX < 0 || p.INX > math.MaxUint16 {
			return record{}, fmt.Errorf("%w: network.json is damaged", ErrForeign)
		}
	}
	return r, nil
}

// emptyOrForeign says of a folder without network.json whether a network can be made there.
func emptyOrForeign(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(files) > 0 {
		return fmt.Errorf("%w: %s is not empty", ErrForeign, dir)
	}
	return ErrNoNetwork
}

func (r record) write(dir string) error { return writeJSON(filepath.Join(dir, "network.json"), r) }

// writeJSON replaces a file as a whole.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func writeKey(path string, key ed25519.PrivateKey) error {
	return os.WriteFile(path, []byte(hex.EncodeToString(key.Seed())+"\n"), 0o600)
}

// readKey reads an Ed25519 seed in hex.
func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no Ed25519 seed of 32 bytes in hex", filepath.Base(path))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
