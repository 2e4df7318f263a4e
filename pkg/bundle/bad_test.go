package bundle

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

// bad is a bundle that must be refused.
type bad struct {
	name, class string
	data        []byte
	policy      ledger.Policy
	now         time.Time
}

// text is a bundle in which one text was put for another.
func (w *world) text(class, name, old, new string) bad {
	data := w.make(w.options())
	require.Equal(w.t, 1, bytes.Count(data, []byte(old)), "%s: %q", name, old)
	return bad{name, class, bytes.Replace(data, []byte(old), []byte(new), 1), w.policy, w.now}
}

// changed is a bundle that was read, changed and written again.
func (w *world) changed(class, name string, change func(f *file)) bad {
	f := w.file()
	change(f)
	return bad{name, class, f.marshal(), w.policy, w.now}
}

// signed is a bundle that was changed, and that the log itself then put its name to: a log that records anything.
func (w *world) signed(class, name string, change func(f *file)) bad {
	return w.changed(class, name, func(f *file) {
		change(f)
		w.prove(f)
	})
}

// prove makes the log sign a tree in which the bundle's messages are where they say.
func (w *world) prove(f *file) {
	var tree hashed
	size, at := uint64(0), map[uint64]tlog.Hash{}
	for _, e := range f.entries() {
		at[e.index], size = ledger.Leaf{Time: e.time, Stub: e.message.Stub()}.Hash(), max(size, e.index+1)
	}
	for i := range size {
		h, known := at[i]
		if !known {
			h = leafOf(i)
		}
		more, err := tlog.StoredHashesForRecordHash(int64(i), h, tree)
		require.NoError(w.t, err)
		tree = append(tree, more...)
	}
	end := ledger.Checkpoint{Origin: origin, Size: size}
	var err error
	end.Root, err = tlog.TreeHash(int64(size), tree)
	require.NoError(w.t, err)
	signed, err := ledger.SignCheckpoint(end, w.signer)
	require.NoError(w.t, err)
	f.log = &logPart{checkpoint: string(signed)}
	known := parts{}
	var indexes []uint64
	for _, e := range f.inLedger() {
		hashes, err := tlog.ProveRecord(int64(size), int64(e.index), tree)
		require.NoError(w.t, err)
		require.NoError(w.t, known.add(e.index, size, hashes))
		indexes = append(indexes, e.index)
	}
	f.log.hashes, _ = known.prove(size, indexes) // of two messages at one place there is no proof
	if f.head != nil {
		v := &verifier{file: f, verdict: verdict{size: end.Size, root: end.Root}}
		require.NoError(w.t, v.signHead(w.taps.Author, f.head.time))
	}
}

// strip leaves only the stub.
func (e *entry) strip() { e.stub, e.raw = e.message.Stub().Bytes(), nil }

// put puts another message in an entry's place.
func (e *entry) put(m channel.Message) { e.message, e.raw = m, m.Bytes() }

// badBundles are one of each kind that must be refused.
func badBundles(t testing.TB) []bad {
	w := tapped(t, 3)
	good := string(w.make(w.options()))
	all := append(malformedBundles(w, good), append(alteredBundles(w), forgedBundles(w)...)...)
	return append(append(all, unwitnessedBundles(w)...), untrustedBundles(w, []byte(good))...)
}

func malformedBundles(w *world, good string) []bad {
	var all []bad
	for name, data := range map[string]string{
		"empty":                   "",
		"no JSON":                 "bundle",
		"a list":                  "[" + good + "]",
		"cut off":                 good[:len(good)/2],
		"without its end":         strings.TrimSuffix(good, "}\n"),
		"with something behind":   good + "{}",
		"with a byte order mark":  "\ufeff" + good,
		"with a NUL behind":       good + "\x00",
		"a comma too many":        strings.Replace(good, "\n]", ",\n]", 1),
		"no UTF-8":                strings.Replace(good, "\\n— ", "\\n\xff ", 1),
		"half a surrogate pair":   strings.Replace(good, "\\n— ", "\\n\\ud800 ", 1),
		"a noncharacter":          strings.Replace(good, "\\n— ", "\\n\\uffff ", 1),
		"a line break in text":    strings.Replace(good, "\\n— ", "\n— ", 1),
		"nested without end":      strings.Repeat(`{"bundle":`, 100_000),
		"lists without end":       `{"bundle":1,"taps":` + strings.Repeat("[", 100_000),
		"with a member more":      `{"more":1,` + good[1:],
		"with a member twice":     `{"bundle":1,` + good[1:],
		"with two stories":        strings.Replace(good, `"taps":[`, `"taps":[],"taps":[`, 1),
		"a head that is null":     good[:strings.Index(good, `"head":`)] + `"head":null}`,
		"longer than a bundle":    good + strings.Repeat(" ", MaxSize-len(good)+1),
		"a head without messages": headOfNothing(good),
	} {
		all = append(all, bad{name, "malformed", []byte(data), w.policy, w.now})
	}
	return append(all,
		w.text("malformed", "in another case", `"card"`, `"Card"`),
		w.text("malformed", "without its card", `"card":"IV8MsOnKjWZjALGA",`, ``),
		w.text("malformed", "a short card id", `"card":"IV8MsOnKjWZjALGA"`, `"card":"IV8MsOnKjWZjALG"`),
		w.text("malformed", "a version as text", `"bundle":1`, `"bundle":"1"`),
		w.text("malformed", "a fraction", `"index":6,`, `"index":6.0,`),
		w.text("malformed", "an exponent", `"index":6,`, `"index":6e0,`),
		w.text("malformed", "a sign", `"index":6,`, `"index":-6,`),
		w.text("malformed", "a zero before", `"index":6,`, `"index":06,`),
		w.text("malformed", "a number beyond 2^53", `"index":12,`, `"index":9007199254740992,`),
		w.text("malformed", "a number without end", `"index":12,`, `"index":`+strings.Repeat("9", 5000)+`,`),
		w.text("malformed", "no number", `"index":6,`, `"index":true,`),
		w.text("malformed", "a time after 9999", `"time":1795000009007`, `"time":253402300800000`),
		w.text("malformed", "a message with an index more", `"index":8,`, `"index":8,"index":8,`),
		w.text("malformed", "a padded signature", `"signature":"Ut`, `"signature":"=Ut`),
		w.text("malformed", "hashes with a byte more", `"hashes":"bm`, `"hashes":"AAAAbm`),
		w.text("malformed", "stray bits", `gSfiYFw"`, `gSfiYFx"`),
		w.changed("malformed", "a message cut off", func(f *file) { f.taps[1].raw = f.taps[1].raw[:150] }),
		w.changed("malformed", "a message with a byte more", func(f *file) { f.taps[1].raw = append(f.taps[1].raw, 0) }),
		w.changed("malformed", "the newest message without its payload", func(f *file) { f.taps[3].strip() }),
		w.changed("malformed", "the registration without its payload", func(f *file) { f.registration.strip() }),
		w.changed("malformed", "a stub cut off", func(f *file) { f.taps[1].strip(); f.taps[1].stub = f.taps[1].stub[:187] }),
		w.changed("bad_signature", "a stub of another payload", func(f *file) { f.taps[1].strip(); f.taps[1].stub[100] ^= 1 }),
		w.text("malformed", "a message and its stub", `{"index":8,`, `{"index":8,"stub":"",`),
		w.text("malformed", "an anchor without proof", `"head":`, `"anchor":{"message":{"index":0,"time":0,"message":""}},"head":`),
		w.text("malformed", "an anchor without message", `"head":`, `"anchor":{"log":{"checkpoint":"","hashes":""}},"head":`),
		w.text("malformed", "an anchor of a stub", `"head":`, `"anchor":{"message":{"index":0,"time":0,"stub":""},"log":{"checkpoint":"","hashes":""}},"head":`),
		w.text("malformed", "an anchor on a network without block", `"head":`, `"anchor":{"message":{"index":0,"time":0,"message":""},"stardust":{"milestones":[]}},"head":`),
		w.changed("malformed", "an empty message", func(f *file) { f.opening.raw = nil }),
		w.changed("malformed", "a message of another version", func(f *file) { f.taps[0].raw[4] = 2 }),
	)
}

func headOfNothing(good string) string {
	from, to := strings.Index(good, `"taps":[`)+len(`"taps":[`), strings.Index(good, "\n],")
	return good[:from] + good[to:]
}

// alteredBundles were changed by whoever passed them on.
func alteredBundles(w *world) []bad {
	return []bad{
		w.text("unsupported", "another version", `"bundle":1`, `"bundle":2`),
		w.changed("bad_signature", "a message's signature", func(f *file) { last(f.taps[1].raw)[0] ^= 1 }),
		w.changed("bad_signature", "what a message says", func(f *file) { f.taps[1].raw[100] ^= 1 }),
		w.changed("bad_signature", "a message's number", func(f *file) { f.taps[1].raw[47] = 9 }),
		w.changed("bad_signature", "a head's signature", func(f *file) { f.head.signature[9] ^= 1 }),
		w.changed("bad_signature", "a head made younger", func(f *file) { f.head.time = f.head.time.Add(time.Hour) }),
		w.changed("wrong_channel", "another channel's message among the taps", func(f *file) { f.taps[1] = f.opening }),
		w.changed("wrong_channel", "another issuer's opening", func(f *file) {
			f.opening.put(recordtest.NewChain("thief").Say(recordtest.Body(recordtest.Opened("Example Dairy"))))
		}),
		w.changed("broken_chain", "a tap left out", func(f *file) { f.taps = append(f.taps[:1], f.taps[2:]...) }),
		w.changed("broken_chain", "the first message left out", func(f *file) { f.taps = f.taps[1:] }),
		w.changed("broken_chain", "two taps exchanged", func(f *file) { f.taps[1], f.taps[2] = f.taps[2], f.taps[1] }),
		w.changed("broken_chain", "a tap twice", func(f *file) { f.taps = append(f.taps, f.taps[3]) }),
		w.changed("broken_chain", "the registration for the opening", func(f *file) { f.opening = f.registration }),
		w.changed("broken_chain", "the opening for the registration", func(f *file) { f.registration = f.opening }),
		w.changed("broken_chain", "the registration before the opening", func(f *file) { f.opening.index = 5 }),
		w.changed("broken_chain", "leaves in another order than numbers", func(f *file) { f.taps[1].index = 5 }),
		w.changed("broken_chain", "times in another order than leaves", func(f *file) { f.taps[1].time = f.taps[0].time.Add(-1e6) }),
		w.changed("invalid_proof", "another leaf", func(f *file) { f.taps[1].index++ }),
		w.changed("invalid_proof", "a leaf beyond the log", func(f *file) { f.taps[3].index = 1 << 52 }),
		w.changed("invalid_proof", "another time of the log", func(f *file) { f.taps[1].time = f.taps[1].time.Add(time.Millisecond) }),
		w.changed("invalid_proof", "two messages at one leaf", func(f *file) { f.taps[0].index = f.registration.index }),
		w.changed("invalid_proof", "a hash changed", func(f *file) { f.log.hashes[2][5] ^= 1 }),
		w.changed("invalid_proof", "a hash left out", func(f *file) { f.log.hashes = f.log.hashes[1:] }),
		w.changed("invalid_proof", "a hash more", func(f *file) { f.log.hashes = append(f.log.hashes, tlog.Hash{}) }),
		w.changed("invalid_proof", "no hashes", func(f *file) { f.log.hashes = nil }),
		w.changed("invalid_proof", "no checkpoint", func(f *file) { f.log.checkpoint = "" }),
		w.changed("invalid_proof", "the newest tap left out, and the proof with it", func(f *file) { f.taps, f.head = f.taps[:3], nil }),
		w.changed("invalid_proof", "a checkpoint nobody signed", func(f *file) {
			f.log.checkpoint = f.log.checkpoint[:strings.Index(f.log.checkpoint, "\n\n")+2]
		}),
		w.changed("invalid_proof", "a checkpoint of another size", func(f *file) { f.log.checkpoint = strings.Replace(f.log.checkpoint, "\n16\n", "\n17\n", 1) }),
		w.changed("invalid_proof", "a checkpoint with its signature twice", func(f *file) {
			f.log.checkpoint += f.log.checkpoint[strings.Index(f.log.checkpoint, "\n\n")+2:]
		}),
		w.changed("invalid_proof", "a tap that the author signed and the log does not have", func(f *file) {
			f.taps[3].put(w.another(3, f.taps[2].message, recordtest.Body(recordtest.Tapped(w.card, 9))))
			f.head = nil
		}),
	}
}

// last is a message's signature.
func last(raw []byte) []byte { return raw[len(raw)-64:] }

// another is what the author of the tap channel may sign in another message's place.
func (w *world) another(number uint64, after channel.Message, body []byte) channel.Message {
	d := channel.Draft{Number: number, Time: begin, Body: body}
	if number > 0 {
		d.Prev = after.Hash()
	}
	m, err := w.taps.Author.Sign(d)
	require.NoError(w.t, err)
	return m
}

// forgedBundles are those of a log, an issuer or an author who says what is not so: their signatures and proofs hold.
func forgedBundles(w *world) []bad {
	chain := func(name string, n int) channel.Message {
		c := recordtest.NewChain(name)
		for range n {
			c.Say([]byte(`{"kind":"weather"}`))
		}
		return c.Say(recordtest.Body(recordtest.Opened(name)))
	}
	return []bad{
		w.signed("bad_signature", "the newest tap kept back", func(f *file) { f.taps = f.taps[:3] }).keepHead(w),
		w.signed("broken_chain", "a fork of the tap channel", func(f *file) { f.taps[2].put(w.another(2, f.taps[0].message, []byte(`{}`))) }),
		w.signed("broken_chain", "a tap channel begun at 1", func(f *file) { f.taps = f.taps[1:] }),
		w.signed("broken_chain", "an opening after others", func(f *file) { f.opening.put(chain("issuer", 1)) }),
		w.signed("broken_chain", "a restricted message", func(f *file) {
			m, err := channel.NewAuthor(channel.Seed{9}, channel.Restricted).Sign(channel.Draft{Time: begin, Random: bytes.NewReader(make([]byte, 24))})
			require.NoError(w.t, err)
			f.taps, f.head = f.taps[:1], nil
			f.taps[0].put(m)
		}),
		w.signed("unsupported", "a record that must be understood", func(f *file) {
			f.taps[3].put(w.another(3, f.taps[2].message, []byte(`{"kind":"card.dreamt","must":true}`)))
		}),
		w.signed("not_registered", "an issuer that does not open", func(f *file) {
			f.opening.put(recordtest.NewChain("issuer").Say([]byte(`{"kind":"issuer.closed"}`)))
		}),
		w.signed("not_registered", "another card's registration", func(f *file) { f.register(w, taptest.NewCard("other"), w.issuer.ID()) }),
		w.signed("not_registered", "a registration that the card made for another issuer", func(f *file) { f.register(w, w.card, w.others.ID()) }),
		w.signed("not_registered", "no registration at all", func(f *file) {
			f.registration.put(w.issuer.After(f.opening.message).Say([]byte(`{"kind":"weather"}`)))
		}),
		w.signed("not_registered", "a tap channel that is an issuer's", func(f *file) {
			f.taps, f.head, f.registration.index = f.taps[:1], nil, 9
			f.taps[0].put(chain("taps", 0))
			f.registration.time = f.taps[0].time
		}),
		w.changed("not_registered", "another card's name", func(f *file) { f.card = taptest.NewCard("other").ID() }),
		w.signed("wrong_channel", "another card's tap channel", func(f *file) {
			f.taps, f.head = f.taps[:1], nil
			f.taps[0].put(recordtest.NewChain("others").Say(recordtest.Body(recordtest.InService(3))))
		}),
	}
}

// keepHead is a bundle with the head of the world's own in place of its own.
func (b bad) keepHead(w *world) bad {
	f, err := parse(b.data)
	require.NoError(w.t, err)
	f.head = w.file().head
	b.data = f.marshal()
	return b
}

// register puts a registration of a card in the bundle, as the issuer signs it.
func (f *file) register(w *world, c *taptest.Card, issuer channel.ID) {
	f.registration.put(w.issuer.After(f.opening.message).Say(recordtest.Body(recordtest.Registered(c, issuer, w.taps.ID()))))
}

// untrustedBundles hold, for somebody who trusts others.
func untrustedBundles(w *world, good []byte) []bad {
	s, err := ledger.NewSigner(otherKey)
	require.NoError(w.t, err)
	other := func(origin, key string) ledger.Policy {
		return ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: key}}}
	}
	strangers := w.policy
	strangers.Issuers = []channel.ID{w.taps.ID(), w.others.ID()}
	return []bad{
		{"of an issuer that is not trusted", "untrusted_issuer", good, strangers, w.now},
		{"under a policy without logs", "invalid_proof", good, ledger.Policy{}, w.now},
		{"under another log's key", "invalid_proof", good, other(origin, s.VerifierKey()), w.now},
		{"under another origin", "invalid_proof", good, other(origin+"2", w.signer.VerifierKey()), w.now},
		{"before its head was signed", "future_head", good, w.policy, w.now.Add(-Skew - time.Millisecond)},
		w.anchoredBy("a checkpoint anchored in its own log", w.signer, origin, w.checkpointBody()),
		w.anchoredBy("an anchor nobody trusts", w.signer, "log.example/third", w.checkpointBody()),
		w.anchoredBy("an anchor of another size", s, "log.example/anchor", strings.Replace(w.checkpointBody(), `\n16\n`, `\n17\n`, 1)),
		w.anchoredBy("an anchor of another origin", s, "log.example/anchor", strings.Replace(w.checkpointBody(), "log.example/test", "log.example/tesu", 1)),
		w.anchoredBy("an anchor of another kind", s, "log.example/anchor", strings.Replace(w.checkpointBody(), record.KindLogCheckpoint, "weather", 1)),
		w.anchoredBy("an anchor that is no record", s, "log.example/anchor", "{}"),
	}
}

// unwitnessedBundles lack what makes a checkpoint witnessed.
func unwitnessedBundles(w *world) []bad {
	data, policy := w.witnessed()
	without := func(name, old, new string) bad {
		text := strings.Replace(string(data), old, new, 1)
		require.NotEqual(w.t, string(data), text, name)
		return bad{name, "invalid_proof", []byte(text), policy, w.now}
	}
	lines := strings.SplitAfter(string(data[bytes.Index(data, []byte(`\n\n`))+4:]), `\n`)
	return []bad{
		{"without any witness", "invalid_proof", w.make(w.options()), policy, w.now},
		without("a cosignature left out", lines[2], ""),
		without("a cosignature of somebody else", "— witness.example/two ", "— witness.example/tow "),
		without("a cosignature that is wrong", lines[2][len(lines[2])-12:], "AAAAAAAA=="+`\n`),
		without("a cosignature twice", lines[2], lines[1]),
	}
}

// checkpointBody is the record of the checkpoint of the world's bundle.
func (w *world) checkpointBody() string {
	return fmt.Sprintf(`{"kind":%q,"checkpoint":%s}`, record.KindLogCheckpoint, quote(w.file().log.checkpoint))
}

// anchoredBy is the world's bundle with an anchor in another log, whose key is trusted.
func (w *world) anchoredBy(name string, s ledger.Signer, in, body string) bad {
	l := ledger.NewMemory(in, s, func() time.Time { return w.now })
	anchors := recordtest.NewChain("anchors")
	require.NoError(w.t, l.List(w.t.Context(), anchors.ID()))
	m := anchors.Say([]byte(body))
	r, err := l.Submit(w.t.Context(), m)
	require.NoError(w.t, err)
	o := w.options()
	o.Anchored = func(context.Context, []byte) (ledger.Evidence, error) {
		return ledger.Evidence{Message: m, Proof: r.Proof}, nil
	}
	policy := w.policy
	if in != "log.example/third" && in != origin {
		policy.Logs = append(policy.Logs[:1:1], ledger.LogKey{Origin: in, Key: s.VerifierKey()})
	}
	return bad{name, "invalid_proof", w.make(o), policy, w.now}
}

// TestEveryBadBundleIsRefused also counts them: a kind that goes missing is missed.
func TestEveryBadBundleIsRefused(t *testing.T) {
	all := badBundles(t)
	for _, b := range all {
		r, err := Verify(b.data, b.policy, b.now)
		assert.Equal(t, b.class, Class(err), "%s: %v", b.name, err)
		assert.Equal(t, Report{}, r, b.name)
	}
	t.Log(len(all), "bad bundles")
	assert.GreaterOrEqual(t, len(all), 110)
}

// TestAMessageAtAnothersPlaceIsNotRecorded: the last leaf stands for one message, and the second one there would be proved by nothing.
func TestAMessageAtAnothersPlaceIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	w.register()
	f, err := parse(w.make(Options{}))
	require.NoError(t, err)
	r := f.registration
	f.taps = []entry{{raw: w.taps.Say(recordtest.Body(recordtest.InService(3))).Bytes(), index: r.index, time: r.time}}
	_, err = w.verify(f.marshal())
	require.ErrorIs(t, err, ledger.ErrInvalidProof)
	require.ErrorContains(t, err, "two messages at index")
}
