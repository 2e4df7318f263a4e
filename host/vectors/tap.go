package vectors

import (
	"bytes"
	"encoding/json"

	"github.com/productid/productid/pkg/tap"
)

type tapVector struct {
	Name, URL, CardID, Expect string
	Alg                       tap.Algorithm
	Key                       hexText
}

type challengeVector struct {
	CardID, Expect                         string
	Alg                                    tap.Algorithm
	Counter                                uint32
	Key, Nonce, Context, Signed, Signature hexText
}

// taps runs the vectors of tap URLs and challenge answers.
func (t *Tally) taps(text []byte) error {
	var file struct {
		Taps       []tapVector
		Challenges []challengeVector
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return malformed(err)
	}
	for _, v := range file.Taps {
		t.compare(v.Name, v.Expect, v.run())
	}
	for _, v := range file.Challenges {
		t.compare("challenge of "+v.CardID, v.Expect, v.run())
	}
	return nil
}

func (v tapVector) run() string {
	key, err := tap.ParseKey(v.Alg, v.Key)
	if err != nil {
		return tap.Class(err)
	}
	u, err := tap.Parse(v.URL)
	if err == nil {
		err = u.Verify(key)
	}
	if err == nil && u.ID.String() != v.CardID {
		return different
	}
	return tap.Class(err)
}

func (v challengeVector) run() string {
	key, err := tap.ParseKey(v.Alg, v.Key)
	if err != nil {
		return tap.Class(err)
	}
	c := tap.Challenge{Nonce: v.Nonce, Context: v.Context, Counter: v.Counter, Signature: v.Signature}
	err = c.Verify(key)
	if err == nil && (key.ID().String() != v.CardID || !bytes.Equal(c.SignedBytes(v.Alg, key.ID()), v.Signed)) {
		return different
	}
	return tap.Class(err)
}
