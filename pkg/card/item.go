package card

import (
	"encoding/binary"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
)

// send sends one of our commands. conditions is what 6985 means for it.
func (c *Client) send(command apdu.Command, conditions error) ([]byte, error) {
	command.CLA = claProductID
	data, err := apdu.Send(c.t, command)
	if err != nil {
		return nil, explain(err, conditions)
	}
	return data, nil
}

// ask sends one of our commands and reads its answer.
func ask[A any](c *Client, command apdu.Command, parse func([]byte) (A, error)) (A, error) {
	data, err := c.send(command, ErrState)
	if err != nil {
		var none A
		return none, err
	}
	return parse(data)
}

func (c *Client) write(item byte, value []byte) error {
	_, err := c.send(apdu.Command{INS: insPutData, P2: item, Data: value}, ErrState)
	return err
}

// maxItem is the longest item: an RSA-2048 key.
const maxItem = 259

// read reads an item part by part. A part beyond the first is asked for only if the item is longer than what came.
func (c *Client) read(item byte) ([]byte, error) {
	var value []byte
	for part := byte(0); ; part++ {
		data, err := c.send(apdu.Command{INS: insGetData, P1: part, P2: item, Ne: apdu.MaxAnswer}, ErrAbsent)
		if err != nil {
			return nil, err
		}
		total, chunk, err := parsePart(data, len(value))
		if err != nil {
			return nil, err
		}
		value = append(value, chunk...)
		if len(value) == total {
			return value, nil
		}
	}
}

// parsePart reads be16 total length ‖ up to partLength bytes of the item, of which have are there already. A part is as long as
// it can be, so each read ends after two.
func parsePart(b []byte, have int) (total int, chunk []byte, err error) {
	const totalLength = 2
	if len(b) < totalLength {
		return 0, nil, fmt.Errorf("%w: part of an item without a length", ErrMalformed)
	}
	total, chunk = int(binary.BigEndian.Uint16(b)), b[totalLength:]
	if total > maxItem || total < have || len(chunk) != min(partLength, total-have) {
		return 0, nil, fmt.Errorf("%w: %d bytes at %d of an item of %d", ErrMalformed, len(chunk), have, total)
	}
	return total, chunk, nil
}
