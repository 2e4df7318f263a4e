package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// member is one member of a JSON object and where its value goes.
type member struct {
	name  string
	value any
}

// unmarshalMembers reads a JSON object that has each of the members exactly once
// and no other: two readers of one file must not see two things, as
// encoding/json would let them with names repeated or in another case.
func unmarshalMembers(data []byte, members ...member) error {
	missing, err := unmarshalObject(data, members)
	if err == nil && len(missing) > 0 {
		return fmt.Errorf("member %s is missing", missing[0].name)
	}
	return err
}

// unmarshalSome is unmarshalMembers for members that need not be there.
func unmarshalSome(data []byte, members ...member) error {
	_, err := unmarshalObject(data, members)
	return err
}

// unmarshalObject reads a JSON object that has no other members than these, and
// returns those that it has not.
func unmarshalObject(data []byte, members []member) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(members, func(m member) bool { return m.name == token })
		if i < 0 {
			return nil, fmt.Errorf("unknown or repeated member %.50q", token)
		}
		if err := decoder.Decode(members[i].value); err != nil {
			return nil, fmt.Errorf("member %s: %w", members[i].name, err)
		}
		members = slices.Delete(members, i, i+1)
	}
	_, err := decoder.Token() // the closing brace
	return members, err
}
