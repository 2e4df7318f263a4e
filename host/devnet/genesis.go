package devnet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// coordinatorKeys is how many keys sign each milestone.
const coordinatorKeys = 2

// supply is all tokens there are; the number is of the former public network, because hornet's documentation uses it throughout.
const supply = "2779530283277761"

// snapshotDepth is how many milestones behind its head a node that prunes takes its snapshots. Hornet's least is the depth below which
// no parents are chosen (15) and five more.
const snapshotDepth = 20

// create makes a network beside its folder and moves it there as a whole: a folder holds a network that is complete or none.
func create(ctx context.Context, o Options) error {
	if err := os.MkdirAll(filepath.Dir(o.Dir), 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(o.Dir), filepath.Base(o.Dir)+".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // after the move it is not there any more
	g := genesis{Options: o, dir: dir}
	if err := g.make(ctx); err != nil {
		return err
	}
	if err := os.Rename(dir, o.Dir); err != nil && !errors.Is(err, fs.ErrExist) { // else somebody made one meanwhile
		return err
	}
	return nil
}

// genesis is a network that is being made in dir.
type genesis struct {
	Options
	dir  string
	keys []ed25519.PrivateKey // of the coordinator
	r    record
}

func (g *genesis) make(ctx context.Context) error {
	var name [4]byte
	if _, err := io.ReadFull(g.Random, name[:]); err != nil {
		return err
	}
	g.r = record{Version: recordVersion, Name: fmt.Sprintf("devnet-%x", name), Nodes: g.Nodes, MilestoneMS: g.Milestone.Milliseconds(),
		Fast: g.Fast, Keep: g.KeepMilestones, Ports: make([]ports, g.Nodes)}
	funding, err := g.makeKeys()
	if err != nil {
		return err
	}
	if err := g.makeSnapshot(ctx, funding); err != nil {
		return err
	}
	for i := range g.Nodes {
		if err := g.makeNode(i); err != nil {
			return err
		}
	}
	if err := g.bootstrap(ctx); err != nil {
		return err
	}
	return g.r.write(g.dir)
}

// makeKeys makes the keys of the coordinator and of the funds.
func (g *genesis) makeKeys() (funding ed25519.PublicKey, err error) {
	var private []string
	for range coordinatorKeys {
		_, key, err := newKey(g.Random)
		if err != nil {
			return nil, err
		}
		g.keys = append(g.keys, key)
		g.r.Coordinator = append(g.r.Coordinator, key.Public().(ed25519.PublicKey))
		private = append(private, hex.EncodeToString(key))
	}
	if err := os.WriteFile(filepath.Join(g.dir, "coordinator.keys"), []byte(strings.Join(private, ",")), 0o600); err != nil {
		return nil, err
	}
	funding, key, err := newKey(g.Random)
	if err != nil {
		return nil, err
	}
	return funding, writeKey(filepath.Join(g.dir, FundingKey), key)
}

// newKey reads a seed: unlike ed25519.GenerateKey it takes the same bytes from the same source each time.
func newKey(random io.Reader) (ed25519.PublicKey, ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, nil, err
	}
	key := ed25519.NewKeyFromSeed(seed)
	return key.Public().(ed25519.PublicKey), key, nil
}

// makeSnapshot writes the ledger's beginning: all tokens on one output of the funding address.
func (g *genesis) makeSnapshot(ctx context.Context, funding ed25519.PublicKey) error {
	parameters := map[string]any{"version": 2, "networkName": g.r.Name, "bech32HRP": "tst", "minPoWScore": 0, "belowMaxDepth": 15,
		"rentStructure": map[string]any{"vByteCost": 500, "vByteFactorData": 1, "vByteFactorKey": 10}, "tokenSupply": supply}
	path := filepath.Join(g.dir, "protocol_parameters.json")
	if err := writeJSON(path, parameters); err != nil {
		return err
	}
	return g.tool(ctx, nil, "snap-gen", "--protocolParametersPath="+path, "--mintAddress="+address(funding),
		"--outputPath="+filepath.Join(g.dir, "genesis.bin"))
}

// address is the Ed25519 address of a key in hex (TIP-18).
func address(key ed25519.PublicKey) string {
	hash := blake2b.Sum256(key)
	return hex.EncodeToString(hash[:])
}

// makeNode makes the folder of a node, but for its database and what depends on ports.
func (g *genesis) makeNode(i int) error {
	dir := filepath.Join(g.dir, nodeName(i))
	if err := os.MkdirAll(filepath.Join(dir, "snapshots"), 0o700); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(g.dir, "genesis.bin"), filepath.Join(dir, fullSnapshot)); err != nil {
		return err
	}
	_, key, err := newKey(g.Random)
	if err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "peer.key"), key)
}

// bootstrap makes the database of the first node, with the first milestone, and the coordinator's state; the other nodes get the same
// database.
func (g *genesis) bootstrap(ctx context.Context) error {
	if err := configure(g.dir, g.r, insidePorts(g.Nodes)); err != nil {
		return err
	}
	keys, err := os.ReadFile(filepath.Join(g.dir, "coordinator.keys"))
	if err != nil {
		return err
	}
	first := filepath.Join(g.dir, nodeName(0))
	err = g.tool(ctx, []string{"COO_PRV_KEYS=" + string(keys)}, "bootstrap-private-tangle", "--configFile="+filepath.Join(first, "config.json"),
		"--snapshotPath="+filepath.Join(g.dir, "genesis.bin"), "--databasePath="+filepath.Join(first, "db"),
		"--cooStatePath="+filepath.Join(g.dir, "coordinator.state"), "--databaseEngine=pebble")
	if err != nil {
		return err
	}
	for i := 1; i < g.Nodes; i++ {
		if err := os.CopyFS(filepath.Join(g.dir, nodeName(i), "db"), os.DirFS(filepath.Join(first, "db"))); err != nil {
			return err
		}
	}
	return nil
}

// tool runs one of hornet's tools.
func (g *genesis) tool(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(g.Programs, "hornet"), append([]string{"tools"}, args...)...)
	cmd.Dir, cmd.Env = g.dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("hornet tools %s: %w: %s", args[0], err, lastLine(out))
	}
	return nil
}

func lastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }

// peerID is how libp2p names a node: base58 of the identity multihash (00, length 36) of the key in protobuf (type Ed25519, 32 bytes).
func peerID(key ed25519.PublicKey) string {
	return base58(append([]byte{0x00, 36, 0x08, 0x01, 0x12, 32}, key...))
}

func base58(b []byte) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	var digits []byte
	for n, digit := new(big.Int).SetBytes(b), new(big.Int); n.Sign() > 0; {
		n.DivMod(n, big.NewInt(58), digit)
		digits = append(digits, alphabet[digit.Int64()])
	}
	for _, zero := range b {
		if zero != 0 {
			break
		}
		digits = append(digits, alphabet[0])
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(digits)
}
