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

// read reads an item part by part; absent is what it means that the card does not hold it. A part beyond the first is asked for only
// if the item is longer than what came.
func (c *Client) read(item byte, absent error) ([]byte, error) {
	var value []byte
	for part, total := byte(0), unknownTotal; ; part++ {
		data, err := c.readPart(part, item, absent)
		if err != nil {
			return nil, err
		}
		var chunk []byte
		if total, chunk, err = parsePart(data, len(value), total); err != nil {
			return nil, err
		}
		if value = append(value, chunk...); len(value) == total {
			return value, nil
		}
	}
}

// readPart asks for one part. If the reader refuses to wait for a long answer, it asks for a short one: some items are short.
func (c *Client) readPart(part, item byte, absent error) ([]byte, error) {
	command := apdu.Command{INS: insGetData, P1: part, P2: item, Ne: apdu.MaxAnswer}
	data, refused := c.send(command, absent)
	if !isUnforeseen(refused) && !isWrongLength(refused) {
		return data, refused
	}
	command.Ne = shortAnswer
	data, err := c.send(command, absent)
	if err == nil && isWhole(data) {
		return data, nil
	}
	if _, err := c.Info(); err != nil { // it is not the length: no answer comes through
		return nil, refused
	}
	return nil, tooLong(refused)
}

// isWhole reports whether this part is the item's only one and nothing of it was cut off.
func isWhole(part []byte) bool {
	total, chunk, err := parsePart(part, 0, unknownTotal)
	return err == nil && len(chunk) == total
}

const unknownTotal = -1

// parsePart reads be16 total length ‖ up to partLength bytes of the item, of which have are there already; said is the total that the
// part before it announced. A part is as long as it can be, so each read ends after two.
func parsePart(b []byte, have, said int) (total int, chunk []byte, err error) {
	const totalLength = 2
	if len(b) < totalLength {
		return 0, nil, fmt.Errorf("%w: part of an item without a length", ErrMalformed)
	}
	total, chunk = int(binary.BigEndian.Uint16(b)), b[totalLength:]
	if said != unknownTotal && total != said {
		return 0, nil, fmt.Errorf("%w: an item of %d bytes that has %d at the next part", ErrMalformed, said, total)
	}
	if total > maxItem || total < have || len(chunk) != min(partLength, total-have) {
		return 0, nil, fmt.Errorf("%w: %d bytes at %d of an item of %d", ErrMalformed, len(chunk), have, total)
	}
	return total, chunk, nil
}
