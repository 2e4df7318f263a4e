package gs1

import (
	"encoding/json"
	"fmt"
	"strings"
)

// LinksetType is the media type of a linkset in JSON (RFC 9264 §4.2).
const LinksetType = "application/linkset+json"

// vocabulary is where the meanings of GS1's link types are; "gs1:pip" is short for the address of one.
const vocabulary = "https://gs1.org/voc/"

// Link types of the GS1 Web Vocabulary, as a linkset names them.
const (
	DefaultLink       = vocabulary + "defaultLink"       // where somebody is led who asks for nothing special
	PIP               = vocabulary + "pip"               // the product's page, for people
	CertificationInfo = vocabulary + "certificationInfo" // what certifies the thing
)

// Values of a link's parameter linkType that ask for all there is, not for one link.
const (
	TypeLinkset = "linkset"
	TypeAll     = "all" // of resolvers before version 1.1 of the standard
)

const maxLinkset = 1 << 20 // bytes

// LinkType returns the link type that a parameter linkType means, in the form that a linkset has: "gs1:pip" and the addresses that the
// vocabulary had and has are the same. What is none of GS1 is returned as it is.
func LinkType(text string) string {
	for _, prefix := range []string{"gs1:", vocabulary, "http://gs1.org/voc/", "https://www.gs1.org/voc/", "https://ref.gs1.org/voc/"} {
		if name, ours := strings.CutPrefix(text, prefix); ours {
			return vocabulary + name
		}
	}
	return text
}

// Linkset is what a resolver knows of one thing or several (RFC 9264).
type Linkset []LinkContext

// LinkContext is the links of one thing.
type LinkContext struct {
	Anchor      string // URI of the thing
	Description string // of the thing, for people; "" for none
	Links       map[string][]Target
}

// Target is where a link leads. Href is needed.
type Target struct {
	Href     string   `json:"href"`
	Title    string   `json:"title,omitempty"`
	Type     string   `json:"type,omitempty"`     // media type
	Hreflang []string `json:"hreflang,omitempty"` // languages that are there
}

// Members of a link context that are no link types. GS1 has the second, and the third of old.
const (
	memberAnchor          = "anchor"
	memberDescription     = "description"
	memberItemDescription = "itemDescription"
)

// document is a linkset as it is sent.
type document struct {
	Linkset []map[string]json.RawMessage `json:"linkset"`
}

// Encode returns a document of type LinksetType. The error is ErrMalformed: a target without address, or a link type that cannot be
// told from a member of the format.
func (l Linkset) Encode() ([]byte, error) {
	d := document{Linkset: []map[string]json.RawMessage{}}
	for _, c := range l {
		members := map[string]any{memberAnchor: c.Anchor}
		if c.Description != "" {
			members[memberDescription] = c.Description
		}
		for kind, targets := range c.Links {
			if err := checkLinks(kind, targets); err != nil {
				return nil, err
			}
			members[kind] = targets
		}
		raw := map[string]json.RawMessage{}
		for name, value := range members {
			encoded, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("%w: linkset: %w", ErrMalformed, err)
			}
			raw[name] = encoded
		}
		d.Linkset = append(d.Linkset, raw)
	}
	return json.Marshal(d)
}

func checkLinks(kind string, targets []Target) error {
	if kind == "" || kind == memberAnchor || kind == memberDescription || kind == memberItemDescription {
		return fmt.Errorf("%w: linkset: %q is no link type", ErrMalformed, kind)
	}
	for _, t := range targets {
		if t.Href == "" {
			return fmt.Errorf("%w: linkset: a link of type %.80q leads nowhere", ErrMalformed, kind)
		}
	}
	return nil
}

// ParseLinkset reads a document of type LinksetType of up to 1 MiB. Attributes of links that are not in Target are left out. The error
// is ErrMalformed.
func ParseLinkset(data []byte) (Linkset, error) {
	if len(data) > maxLinkset {
		return nil, fmt.Errorf("%w: linkset longer than %d bytes", ErrMalformed, maxLinkset)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%w: linkset: %w", ErrMalformed, err)
	}
	if d.Linkset == nil {
		return nil, fmt.Errorf("%w: no member linkset", ErrMalformed)
	}
	all := Linkset{}
	for _, members := range d.Linkset {
		c, err := parseContext(members)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func parseContext(members map[string]json.RawMessage) (LinkContext, error) {
	c := LinkContext{Links: map[string][]Target{}}
	var old string
	for name, raw := range members {
		var targets []Target
		var into any = &targets
		switch name {
		case memberAnchor:
			into = &c.Anchor
		case memberDescription:
			into = &c.Description
		case memberItemDescription:
			into = &old
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return LinkContext{}, fmt.Errorf("%w: linkset: member %.80q: %w", ErrMalformed, name, err)
		}
		if into != any(&targets) {
			continue
		}
		if err := checkLinks(name, targets); err != nil {
			return LinkContext{}, err
		}
		c.Links[name] = targets
	}
	if c.Description == "" {
		c.Description = old
	}
	return c, nil
}
