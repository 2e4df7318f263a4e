package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

type channelFile struct {
	Channels []channelVectors
	Log      struct {
		Leaves, Roots []hexText
		Inclusion     []struct {
			Index, Size int64
			Proof       []hexText
		}
	}
}

type channelVectors struct {
	Mode     channel.Mode
	Seed     hexText
	Channel  channel.ID
	Messages []messageVector
	Bad      []struct {
		Name, Expect           string
		Channel                channel.ID
		Mode                   channel.Mode
		N                      uint64
		Prev, ReadKey, Message hexText
	}
}

type messageVector struct {
	N                   uint64
	UnixMs              int64
	Body                hexText
	Capability          string
	Message, Hash, Leaf hexText
	Expect              string
}

// channels runs the vectors of messages and of the log's tree.
func (t *Tally) channels(text []byte) error {
	var file channelFile
	if err := json.Unmarshal(text, &file); err != nil {
		return malformed(err)
	}
	for _, c := range file.Channels {
		var prev channel.Hash
		for _, v := range c.Messages {
			t.compare(fmt.Sprintf("%v message %d", c.Mode, v.N), v.Expect, v.run(c, prev))
			prev = hash32[channel.Hash](v.Hash)
		}
		for _, v := range c.Bad {
			t.compare(fmt.Sprintf("%v %s", c.Mode, v.Name), v.Expect,
				readMessage(v.Message, v.Channel, v.Mode, v.N, hash32[channel.Hash](v.Prev), hash32[channel.ReadKey](v.ReadKey)))
		}
	}
	t.tree(file)
	return nil
}

// hash32 takes 32 bytes of a file; of another length they are zeros, and whatever is compared with them differs.
func hash32[T ~[32]byte](b []byte) (out T) {
	if len(b) == len(out) {
		copy(out[:], b)
	}
	return out
}

// run reads a good message as the holder of its capability does.
func (v messageVector) run(c channelVectors, prev channel.Hash) string {
	if id := channel.NewAuthor(hash32[channel.Seed](c.Seed), c.Mode).Channel(); id != c.Channel {
		return different
	}
	m, err := channel.Parse(v.Message)
	if err != nil {
		return channel.Class(err)
	}
	if err := m.Check(c.Channel, c.Mode, v.N, prev); err != nil {
		return channel.Class(err)
	}
	reader, err := channel.ParseCapability(v.Capability)
	if err != nil {
		return channel.Class(err)
	}
	leaf, err := ledger.ParseLeaf(v.Leaf)
	if err != nil || leaf.Stub.Hash() != m.Hash() {
		return different
	}
	body, err := reader.Open(m)
	hash := m.Hash()
	if err == nil && (!bytes.Equal(body, v.Body) || !bytes.Equal(hash[:], v.Hash) || m.Time().UnixMilli() != v.UnixMs) {
		return different
	}
	return channel.Class(err)
}

// readMessage gives the class of the first thing that is wrong with a message.
func readMessage(b []byte, id channel.ID, mode channel.Mode, n uint64, prev channel.Hash, key channel.ReadKey) string {
	m, err := channel.Parse(b)
	if err != nil {
		return channel.Class(err)
	}
	if err := m.Check(id, mode, n, prev); err != nil {
		return channel.Class(err)
	}
	if mode == channel.Restricted {
		_, err = m.Open(key)
	}
	return channel.Class(err)
}

// tree checks every inclusion proof against the root of its size.
func (t *Tally) tree(file channelFile) {
	for _, v := range file.Log.Inclusion {
		got := "wrong"
		if v.Index >= 0 && v.Index < int64(len(file.Log.Leaves)) && v.Size >= 0 && v.Size < int64(len(file.Log.Roots)) {
			proof := make(tlog.RecordProof, len(v.Proof))
			for i, h := range v.Proof {
				proof[i] = hash32[tlog.Hash](h)
			}
			root := hash32[tlog.Hash](file.Log.Roots[v.Size])
			if tlog.CheckRecord(proof, v.Size, root, v.Index, tlog.RecordHash(file.Log.Leaves[v.Index])) == nil {
				got = "ok"
			}
		}
		t.compare(fmt.Sprintf("inclusion of leaf %d in %d", v.Index, v.Size), "ok", got)
	}
}
