package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// maxFindings bounds a report; what is beyond is counted.
const maxFindings = 1000

// Report is what Check found.
type Report struct {
	Size     uint64      // leaves that the checkpoint covers
	Root     merkle.Hash // of the checkpoint
	Channels int         // listed
	Removed  uint64      // messages whose payload was removed
	Findings []string    // what is wrong, one line each, at most 1000
	Further  int         // findings that were not listed
}

// Clean reports whether nothing was found.
func (r *Report) Clean() bool { return len(r.Findings) == 0 }

func (r *Report) add(format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.Further++
		return
	}
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// Check reads the whole file and verifies everything in it: the structure, the
// checkpoint, every author's signature and payload, each channel's chain, every
// hash of the tree, the log's time, and that nothing is there beside. What is wrong
// is in the report; an error says that the check could not be finished. It sees one
// moment of the log while others append. progress, unless nil, is called now and
// then with how many leaves were read.
func (l *Log) Check(ctx context.Context, progress func(done, size uint64)) (Report, error) {
	var report Report
	structure, err := l.db.Integrity(ctx)
	if err != nil {
		return report, unavailable(ctx, err)
	}
	for _, line := range structure {
		report.add("structure of the file: %s", line)
	}
	err = l.snapshot(ctx, func(v *view) error {
		report.Size, report.Root = v.tree.Size, v.tree.Root
		c := &checker{view: v, Report: &report, progress: progress}
		return c.run()
	})
	if errors.Is(err, ErrCorrupt) { // so that the rest could not be read
		report.add("%v", err)
		err = nil
	}
	return report, err
}

// checker walks over the leaves in order and keeps what the next one must fit.
type checker struct {
	*view
	*Report
	progress func(done, size uint64)
	channels map[int64]*checkedChannel
	next     int64         // leaf
	time     int64         // of the leaf before
	stack    []merkle.Hash // roots of the complete subtrees so far
}

type checkedChannel struct {
	id   channel.ID
	head int64 // as the channel's row says
	last int64 // as its messages say; -1 for none
	next uint64
	prev channel.Hash
	mode channel.Mode
}

func (c *checker) run() error {
	if err := c.checkOwner(); err != nil {
		return err
	}
	if err := c.readChannels(); err != nil {
		return err
	}
	rows, err := c.tx.QueryContext(c.ctx, selectRow+" ORDER BY leaf")
	if err != nil {
		return unavailable(c.ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return err
		}
		c.leaf(r)
		if c.progress != nil && c.next%1024 == 0 {
			c.progress(uint64(c.next), c.tree.Size)
		}
	}
	if err := rows.Err(); err != nil {
		return unavailable(c.ctx, err)
	}
	c.end()
	return nil
}

func (c *checker) checkOwner() error {
	origin, key, err := owner(c.ctx, c.tx)
	if err == nil && (origin != c.log.o.Origin || key != c.log.key) {
		c.add("file says that it belongs to origin %q, key %s", origin, key)
	}
	return err
}

func (c *checker) readChannels() error {
	c.channels = map[int64]*checkedChannel{}
	rows, err := c.tx.QueryContext(c.ctx, "SELECT id, author, head FROM channel")
	if err != nil {
		return unavailable(c.ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var author []byte
		ch := &checkedChannel{last: -1}
		if err := rows.Scan(&id, &author, &ch.head); err != nil {
			return corrupt("%w", err)
		}
		if len(author) != len(ch.id) {
			c.add("channel row %d has an author of %d bytes", id, len(author))
			continue
		}
		ch.id = channel.ID(author)
		c.channels[id] = ch
		if id != key(ch.id) {
			c.add("channel row %d is that of channel %s, which belongs in row %d", id, ch.id, key(ch.id))
		}
	}
	c.Channels = len(c.channels)
	if err := rows.Err(); err != nil {
		return unavailable(c.ctx, err)
	}
	return nil
}

// leaf checks one row. Where its bytes are wrong its stored hash stands in, so
// that one finding does not become one for every leaf after it.
func (c *checker) leaf(r row) {
	if r.leaf != c.next {
		c.add("leaves %d to %d are missing", c.next, r.leaf-1)
	}
	c.next = r.leaf + 1
	if r.leaf < 0 || uint64(r.leaf) >= c.tree.Size {
		c.add("leaf %d is outside the tree of %d", r.leaf, c.tree.Size)
	}
	if len(r.hashes) != hashesOf(r.leaf)*merkle.HashSize {
		c.add("leaf %d has %d bytes of hashes", r.leaf, len(r.hashes))
		return
	}
	hash := merkle.Hash(r.hashes)
	if m, err := r.message(c.log); err != nil {
		c.add("%v", err)
	} else {
		if m.Removed() {
			c.Removed++
		}
		hash = ledger.Leaf{Time: time.UnixMilli(r.time), Stub: m.Stub()}.Hash()
		c.message(r, m)
	}
	if r.time < c.time {
		c.add("leaf %d is of an earlier time than the leaf before it", r.leaf)
	}
	c.time = r.time
	c.grow(r, hash)
}

// message checks the place of a leaf's message in its channel.
func (c *checker) message(r row, m channel.Message) {
	ch := c.channels[r.channel]
	if ch == nil {
		c.add("leaf %d belongs to channel row %d, which is missing", r.leaf, r.channel)
		return
	}
	if ch.next == 0 {
		ch.mode = m.Mode()
	}
	if err := m.Check(ch.id, ch.mode, ch.next, ch.prev); err != nil {
		c.add("leaf %d: %v", r.leaf, err)
	}
	if r.number != int64(m.Number()) {
		c.add("leaf %d is entered as message %d and is message %d", r.leaf, r.number, m.Number())
	}
	ch.next, ch.prev, ch.last = m.Number()+1, m.Hash(), r.leaf
}

// grow adds a leaf's hash to the tree and compares the hashes that it makes.
func (c *checker) grow(r row, hash merkle.Hash) {
	for level := 0; ; level++ {
		if !bytes.Equal(hash[:], r.hashes[level*merkle.HashSize:][:merkle.HashSize]) {
			c.add("leaf %d: hash of level %d is not that of what it covers", r.leaf, level)
		}
		if level+1 == hashesOf(r.leaf) || len(c.stack) == 0 {
			break
		}
		last := len(c.stack) - 1
		hash, c.stack = merkle.NodeHash(c.stack[last], hash), c.stack[:last]
	}
	c.stack = append(c.stack, hash)
}

// end compares what the leaves gave with the checkpoint and the channels' rows.
func (c *checker) end() {
	if uint64(c.next) < c.tree.Size {
		c.add("leaves %d to %d are missing", c.next, c.tree.Size-1)
	}
	root, _ := merkle.TreeHash(0, nil)
	for i := len(c.stack) - 1; i >= 0; i-- {
		if i == len(c.stack)-1 {
			root = c.stack[i]
			continue
		}
		root = merkle.NodeHash(c.stack[i], root)
	}
	if root != c.tree.Root {
		c.add("leaves do not give the root of the checkpoint of %d", c.tree.Size)
	}
	for _, ch := range c.channels {
		if ch.head != ch.last {
			c.add("channel %s has leaf %d as its newest, and leaf %d is", ch.id, ch.head, ch.last)
		}
	}
	if c.progress != nil {
		c.progress(c.tree.Size, c.tree.Size)
	}
}
