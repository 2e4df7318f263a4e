package registry

import (
	"fmt"
	"strings"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// cardRow is a card as its two rows hold it.
type cardRow struct {
	record.Card
	proof   uint32 // counter of the registration's proof
	retries sum    // of the rows of retries

	fresh   bool // the cards row is to be written
	changed bool // the heads row is to be written
}

// rewind takes the card back to its registration.
func (c *cardRow) rewind() {
	c.Head, c.Last, c.State, c.Settings, c.Recorded = record.Ref{}, c.proof, "", "", 0
	c.Place, c.Was = "", ""
	c.Reason, c.Revoked, c.Device, c.Associated = "", time.Time{}, "", time.Time{}
	if !c.Since.IsZero() {
		c.State = record.StateLost
	}
	c.retries, c.changed = sum{}, true
}

// next returns the number of the first message of the tap channel that was not folded.
func (c *cardRow) next() uint64 {
	if c.Head.IsZero() {
		return 0
	}
	return c.Head.Number + 1
}

const (
	cardColumns = "id, alg, key, issuer, taps, prefix, middle, subject, gtin, lot, serial, proof, number, hash, idx, ms, previous, since, mac"
	headColumns = "taps, number, hash, idx, ms, last, state, settings, recorded, retries, place, was, reason, revoked, device, associated, mac"

	issuerColumns = `channel, name, url, log, network, next, opened_hash, opened_index, opened_ms,
	head_number, head_hash, head_index, head_ms, place, moved, previous, since, mac`

	metaColumns      = "one, position, newest, ignored, catalogue, mac"
	rejectionColumns = "idx, channel, number, kind, reason"
)

var (
	selectCard    = "SELECT " + of("c", cardColumns) + ", " + of("h", headColumns) + " FROM cards c LEFT JOIN heads h ON h.taps = c.taps "
	selectIssuers = "SELECT " + issuerColumns + " FROM issuers"

	replaceCard      = replacing("cards", cardColumns)
	replaceHead      = replacing("heads", headColumns)
	replaceIssuer    = replacing("issuers", issuerColumns)
	replaceMeta      = replacing("meta", metaColumns)
	replaceRejection = replacing("rejections", rejectionColumns)
)

// names splits a list of columns.
func names(columns string) []string { return strings.Fields(strings.ReplaceAll(columns, ",", " ")) }

// of returns the columns as those of a table's alias.
func of(alias, columns string) string {
	return alias + "." + strings.Join(names(columns), ", "+alias+".")
}

// replacing returns the statement that writes a row, also over the row with the same key, which is the first column.
func replacing(table, columns string) string {
	list := names(columns)
	values, sets := make([]string, len(list)), make([]string, len(list))
	for i, name := range list {
		values[i], sets[i] = fmt.Sprint("$", i+1), name+" = excluded."+name
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s",
		table, columns, strings.Join(values, ", "), list[0], strings.Join(sets[1:], ", "))
}

func (c *cardRow) cardValues() []any {
	at := c.Registered
	return []any{
		c.ID[:], int64(c.Key.Algorithm()), c.Key.Bytes(), c.Issuer[:], c.Taps[:], c.Template.Prefix, c.Template.Middle, c.Subject,
		c.GTIN, c.Lot, c.Serial, int64(c.proof), int64(at.Number), at.Hash[:], int64(at.Index), at.Time.UnixMilli(), lineText(c.line()), sinceMilli(c.Since),
	}
}

func (c *cardRow) headValues() []any {
	at := c.Head
	return []any{
		c.Taps[:], int64(at.Number), at.Hash[:], int64(at.Index), refMilli(at), int64(c.Last), c.State, c.Settings,
		int64(c.Recorded), c.retries[:], c.Place, c.Was, c.Reason, sinceMilli(c.Revoked), c.Device, sinceMilli(c.Associated),
	}
}

// setCard fills the card from the values of a row whose seal holds.
func (c *cardRow) setCard(v []any) (err error) {
	c.ID, c.Issuer, c.Taps = tap.CardID(v[0].([]byte)), channel.ID(v[3].([]byte)), channel.ID(v[4].([]byte))
	if c.Key, err = tap.ParseKey(tap.Algorithm(v[1].(int64)), v[2].([]byte)); err != nil {
		return err
	}
	c.Template = tap.Template{Prefix: v[5].(string), Middle: v[6].(string)}
	c.Subject, c.GTIN, c.Lot, c.Serial = v[7].(string), v[8].(string), v[9].(string), v[10].(string)
	c.proof = uint32(v[11].(int64))
	c.Registered = refFrom(c.Issuer, v[12:16])
	if line := lineFrom(v[16].(string)); len(line) > 0 {
		c.Previous, c.Since = line[0], sinceFrom(v[17].(int64))
	}
	return nil
}

// setHead does so with the other row.
func (c *cardRow) setHead(v []any) {
	c.Head = refFrom(c.Taps, v[1:5])
	c.Last, c.State, c.Settings = uint32(v[5].(int64)), v[6].(string), v[7].(string)
	c.Recorded, c.retries = uint64(v[8].(int64)), sum(v[9].([]byte))
	c.Place, c.Was = v[10].(string), v[11].(string)
	c.Reason, c.Revoked = v[12].(string), sinceFrom(v[13].(int64))
	c.Device, c.Associated = v[14].(string), sinceFrom(v[15].(int64))
}

func issuerValues(i record.Issuer) []any {
	moved := int64(0)
	if i.Moved {
		moved = 1
	}
	return []any{
		i.Channel[:], i.Name, i.URL, i.Log, i.Network, i.Next[:], i.Opened.Hash[:], int64(i.Opened.Index), i.Opened.Time.UnixMilli(),
		int64(i.Head.Number), i.Head.Hash[:], int64(i.Head.Index), i.Head.Time.UnixMilli(), i.Place, moved,
		lineText(i.Previous), sinceMilli(i.Since),
	}
}

func issuerFrom(v []any) record.Issuer {
	id := channel.ID(v[0].([]byte))
	return record.Issuer{
		Channel: id, Name: v[1].(string), URL: v[2].(string), Log: v[3].(string), Network: v[4].(string),
		Next:   channel.Hash(v[5].([]byte)),
		Opened: refFrom(id, []any{int64(0), v[6], v[7], v[8]}),
		Head:   refFrom(id, v[9:13]),
		Place:  v[13].(string),
		Moved:  v[14].(int64) != 0,

		Previous: lineFrom(v[15].(string)), Since: sinceFrom(v[16].(int64)),
	}
}

// refFrom reads number, hash, index and milliseconds.
func refFrom(id channel.ID, v []any) record.Ref {
	hash := channel.Hash(v[1].([]byte))
	if hash == (channel.Hash{}) {
		return record.Ref{}
	}
	return record.Ref{
		Channel: id, Number: uint64(v[0].(int64)), Hash: hash, Index: uint64(v[2].(int64)),
		Time: time.UnixMilli(v[3].(int64)).UTC(),
	}
}

// refMilli is 0 where there is no time.
func refMilli(r record.Ref) int64 {
	if r.IsZero() {
		return 0
	}
	return r.Time.UnixMilli()
}

// sealedValues are those of a row that its seal is over: all but the pairs of columns behind that say how an issuer or a card moved,
// lost its history, or was revoked, where they are empty. So rows hold that were written before that could happen.
func sealedValues(values []any) []any {
	for behind := len(values) - 2; behind > 0; behind -= 2 {
		if values[behind] != "" || values[behind+1] != "" && values[behind+1] != int64(0) {
			break
		}
		values = values[:behind]
	}
	return values
}
