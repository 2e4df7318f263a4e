package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	iotago "github.com/iotaledger/iota.go/v3"
)

// state is the newest milestone that was signed. The first four members are what hornet's bootstrap-private-tangle writes.
type state struct {
	Index   iotago.MilestoneIndex `json:"latestMilestoneIndex"`
	BlockID string                `json:"latestMilestoneBlockId"`
	ID      string                `json:"latestMilestoneId"`
	Time    int64                 `json:"latestMilestoneTime"` // nanoseconds since 1970

	// Block is the milestone's block, sent again when the nodes do not know it. Empty for the first milestone.
	Block []byte `json:"latestMilestoneBlock,omitempty"`

	block     iotago.BlockID
	milestone iotago.MilestoneID
}

func loadState(path string) (state, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return state{}, fmt.Errorf("reading the state: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return state{}, fmt.Errorf("reading the state %s: %w", path, err)
	}
	if s.block, err = iotago.BlockIDFromHexString(s.BlockID); err != nil {
		return state{}, fmt.Errorf("reading the state %s: block id: %w", path, err)
	}
	id, err := iotago.DecodeHex(s.ID)
	if err != nil || len(id) != len(s.milestone) || s.Index == 0 {
		return state{}, fmt.Errorf("reading the state %s: it names no milestone", path)
	}
	copy(s.milestone[:], id)
	return s, nil
}

// save is on disk when it returns: the file has either the old or the new content, also after a power cut.
func (s state) save(path string) error {
	s.BlockID, s.ID = s.block.ToHex(), iotago.EncodeHex(s.milestone[:])
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	if err := writeSynced(path+".new", text); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return nil
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
