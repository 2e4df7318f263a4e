package stardust

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// scheme begins the name of a Stardust ledger.
const scheme = "stardust:"

// ParseName reads a ledger's name as people write it: stardust:URL?inx=HOST:PORT,
// where URL is the node's REST interface, with more nodes of the same network after
// commas, each as URL?inx=HOST:PORT.
func ParseName(name string) ([]Node, error) {
	list, ok := strings.CutPrefix(name, scheme)
	if !ok {
		return nil, fmt.Errorf("ledger name does not begin with %s", scheme)
	}
	var nodes []Node
	for i, text := range strings.Split(list, ",") {
		n, err := parseNode(text)
		if err != nil {
			return nil, fmt.Errorf("ledger name: node %d: %w", i+1, err)
		}
		if slices.Contains(nodes, n) {
			return nil, fmt.Errorf("ledger name: node %d is there twice", i+1)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func parseNode(text string) (Node, error) {
	rest, query, found := strings.Cut(text, "?")
	inx, is := strings.CutPrefix(query, "inx=")
	if !found || !is {
		return Node{}, errors.New("not of the form URL?inx=HOST:PORT")
	}
	u, err := url.Parse(rest)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return Node{}, errors.New("not the URL of a REST interface")
	}
	host, port, err := net.SplitHostPort(inx)
	if err != nil {
		return Node{}, errors.New("not the host and port of an INX interface")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "/?#@ \t\r\n") {
		return Node{}, errors.New("not the host and port of an INX interface")
	}
	return Node{REST: rest, INX: inx}, nil
}

// String returns the node as it stands in a ledger's name.
func (n Node) String() string { return n.REST + "?inx=" + n.INX }
