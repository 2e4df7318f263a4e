package devnet

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Where a node keeps its snapshots, below its own folder.
const (
	fullSnapshot  = "snapshots/full_snapshot.bin"
	deltaSnapshot = "snapshots/delta_snapshot.bin"
)

// insidePorts are those of nodes in a network of their own, where nobody else takes any.
func insidePorts(nodes int) []ports {
	all := make([]ports, nodes)
	for i := range all {
		all[i] = ports{REST: 14265 + 10*i, INX: 9029 + 10*i, Peer: 15600 + 10*i}
	}
	return all
}

// configure writes what each node reads at its start.
func configure(dir string, r record, inside []ports) error {
	keys := make([]ed25519.PrivateKey, len(inside))
	for i := range keys {
		var err error
		if keys[i], err = readKey(filepath.Join(dir, nodeName(i), "peer.key")); err != nil {
			return err
		}
	}
	for i := range inside {
		node := filepath.Join(dir, nodeName(i))
		if err := writeJSON(filepath.Join(node, "config.json"), nodeConfig(r, inside[i], keys[i], i)); err != nil {
			return err
		}
		peers := []map[string]any{}
		for j := range inside {
			if j != i {
				peers = append(peers, map[string]any{"alias": nodeName(j),
					"multiAddress": fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", inside[j].Peer, peerID(keys[j].Public().(ed25519.PublicKey)))})
			}
		}
		if err := writeJSON(filepath.Join(node, "peering.json"), map[string]any{"peers": peers}); err != nil {
			return err
		}
	}
	return nil
}

// object is a JSON object.
type object = map[string]any

// nodeConfig is what differs from hornet's defaults.
func nodeConfig(r record, p ports, key ed25519.PrivateKey, i int) object {
	ranges := []object{}
	for _, k := range r.Coordinator {
		ranges = append(ranges, object{"key": hex.EncodeToString(k), "start": 0, "end": 0})
	}
	return object{
		"app":    object{"checkForUpdates": false, "disableASCII": true, "shutdown": object{"stopGracePeriod": "30s"}},
		"logger": object{"level": "info", "outputPaths": []string{"stdout"}},
		"node":   object{"alias": nodeName(i)},
		"protocol": object{"targetNetworkName": r.Name, "milestonePublicKeyCount": len(r.Coordinator), "publicKeyRanges": ranges,
			"baseToken": object{"name": "TestCoin", "tickerSymbol": "TEST", "unit": "TEST", "subunit": "testies", "decimals": 6, "useMetricPrefix": false}},
		"db": object{"engine": "pebble", "path": "db"},
		"p2p": object{"bindMultiAddresses": []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", p.Peer)}, "db": object{"path": "p2p"},
			"identityPrivateKey": hex.EncodeToString(key), "reconnectInterval": "1s",
			"autopeering": object{"enabled": false}, "gossip": object{"unknownPeersLimit": 0}},
		"snapshots": object{"enabled": r.Keep > 0, "depth": snapshotDepth, "interval": 10, "fullPath": fullSnapshot, "deltaPath": deltaSnapshot,
			"downloadURLs": []string{}},
		"pruning": object{"milestones": object{"enabled": r.Keep > 0, "maxMilestonesToKeep": max(r.Keep, 1)}},
		"restAPI": object{"bindAddress": fmt.Sprintf("127.0.0.1:%d", p.REST), "publicRoutes": []string{"/health", "/api/*"}, "protectedRoutes": []string{},
			"pow": object{"enabled": true}},
		"inx": object{"enabled": true, "bindAddress": fmt.Sprintf("127.0.0.1:%d", p.INX)},
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
