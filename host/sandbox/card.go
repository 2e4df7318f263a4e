package sandbox

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"database/sql"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"unicode"
	"unicode/utf8"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// softCard is a card in software, which signs what an applet signs.
type softCard struct {
	Card
	template tap.Template
	ready    bool
	secret   []byte
	private  *ecdsa.PrivateKey
	key      tap.Key
}

// open makes the keys of the secret.
func (c *softCard) open() (err error) {
	if c.private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), c.secret); err != nil {
		return fmt.Errorf("key of test card %v: %w", c.ID, err)
	}
	public, err := c.private.PublicKey.Bytes()
	if err != nil {
		return err
	}
	c.key, err = tap.ParseKey(tap.P256, public)
	return err
}

// draw makes a card with a fresh key.
func (s *Sandbox) draw(name string) (*softCard, error) {
	c := &softCard{Card: Card{Name: name, Made: s.Now()}, template: s.Template, secret: make([]byte, 32)}
	if _, err := io.ReadFull(s.Random, c.secret); err != nil {
		return nil, err
	}
	if err := c.open(); err != nil {
		return nil, err // one draw in 2^32 is no key
	}
	c.ID = c.key.ID()
	c.Counter = 1 // that of the registration's proof
	return c, nil
}

// sign returns r ‖ s.
func (c *softCard) sign(signed []byte) ([]byte, error) {
	digest := sha256.Sum256(signed)
	der, err := c.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		return nil, err
	}
	raw := make([]byte, tap.P256.SignatureLen())
	rs.R.FillBytes(raw[:len(raw)/2])
	rs.S.FillBytes(raw[len(raw)/2:])
	return raw, nil
}

// Create makes a test card, registers it and puts it in service. Errors: ErrTooMany, ErrBadName, those of Issuer.
func (s *Sandbox) Create(ctx context.Context, name string) (Card, error) {
	c, err := s.create(ctx, name)
	if err != nil {
		return Card{}, fmt.Errorf("making a test card: %w", err)
	}
	return c.Card, nil
}

func (s *Sandbox) create(ctx context.Context, name string) (*softCard, error) {
	if utf8.RuneCountInString(name) > maxName {
		return nil, fmt.Errorf("%w: more than %d characters", ErrBadName, maxName)
	}
	for _, r := range name {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return nil, fmt.Errorf("%w: it holds a control character or is not UTF-8", ErrBadName)
		}
	}
	c, err := s.draw(name)
	if err != nil {
		return nil, err
	}
	if err := s.add(ctx, c); err != nil {
		return nil, err
	}
	return c, s.finish(ctx, c)
}

// Tap has the card count up and returns the URL that a phone would read. Errors: ErrUnknown, ErrUsedUp; those of Create for a card whose
// making was broken off.
func (s *Sandbox) Tap(ctx context.Context, id tap.CardID) (string, error) {
	c, err := s.tap(ctx, id)
	if err != nil {
		return "", fmt.Errorf("tapping test card %v: %w", id, err)
	}
	t := tap.URL{ID: c.ID, Counter: c.Counter}
	signature, err := c.sign(t.SignedBytes(tap.P256))
	if err != nil {
		return "", fmt.Errorf("tapping test card %v: %w", id, err)
	}
	return c.template.URL(c.ID, c.Counter, signature), nil
}

func (s *Sandbox) tap(ctx context.Context, id tap.CardID) (*softCard, error) {
	c, err := readCard(ctx, s.db.Read(), id)
	if err != nil {
		return nil, err
	}
	if !c.ready {
		if err := s.finish(ctx, c); err != nil {
			return nil, err
		}
	}
	return s.next(ctx, id)
}

// finish brings the card into service from wherever an earlier run was cut off.
func (s *Sandbox) finish(ctx context.Context, c *softCard) error {
	issuer, err := s.Issuer(ctx)
	if err != nil {
		return err
	}
	author, err := s.Authors.Taps(issuer, c.ID)
	if err != nil {
		return err
	}
	if err := s.List.List(ctx, author.Channel()); err != nil {
		return err
	}
	if err := s.register(ctx, c, issuer, author.Channel()); err != nil {
		return err
	}
	if err := s.putInService(ctx, author); err != nil {
		return err
	}
	c.ready = true
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE cards SET ready = 1 WHERE id = $1", c.ID[:])
		return err
	})
}

// register lists the card on the issuer's channel, unless it is.
func (s *Sandbox) register(ctx context.Context, c *softCard, issuer, taps channel.ID) error {
	body, err := s.registration(c, issuer, taps)
	if err != nil {
		return err
	}
	author, err := s.Authors.Issuer(issuer)
	if err != nil {
		return err
	}
	for {
		if err := s.Registry.Sync(ctx); err != nil {
			return err
		}
		if _, err := s.Registry.Card(ctx, c.ID); !errors.Is(err, registry.ErrUnknownCard) {
			return err
		}
		head, err := s.Ledger.Head(ctx, issuer)
		if err != nil {
			return err
		}
		m, err := author.Sign(channel.Draft{Number: head.Message.Number() + 1, Prev: head.Message.Hash(), Time: s.Now(), Body: body})
		if err != nil {
			return err
		}
		_, err = ledger.Record(ctx, s.Ledger, m)
		if lost := (*ledger.Conflict)(nil); err != nil && !errors.As(err, &lost) {
			return err
		}
	}
}

// registration is the body of card.registered, with the card's own answer to a challenge of issuer and channel.
func (s *Sandbox) registration(c *softCard, issuer, taps channel.ID) ([]byte, error) {
	nonce := make([]byte, 32)
	if _, err := io.ReadFull(s.Random, nonce); err != nil {
		return nil, err
	}
	answer := tap.Challenge{Nonce: nonce, Context: record.RegistrationContext(issuer, taps), Counter: 1}
	signature, err := c.sign(answer.SignedBytes(tap.P256, c.ID))
	if err != nil {
		return nil, err
	}
	return record.CardRegistered{
		ID: c.ID, Alg: tap.P256.String(), Key: c.key.Bytes(), Prefix: c.template.Prefix, Middle: c.template.Middle,
		Subject: record.SubjectProduct, Taps: taps, Station: "sandbox", Applet: record.Applet{Version: "sandbox"},
		Proof: record.Proof{Counter: answer.Counter, Nonce: nonce, Signature: signature},
	}.Encode()
}

// putInService writes the first message of the tap channel, unless there is one: the counter of the registration's proof is used up.
func (s *Sandbox) putInService(ctx context.Context, author *channel.Author) error {
	_, err := s.Ledger.Head(ctx, author.Channel())
	if !errors.Is(err, ledger.ErrNoChannel) {
		return err
	}
	body, err := record.CardInService{Last: 1, State: record.StateInService}.Encode()
	if err != nil {
		return err
	}
	m, err := author.Sign(channel.Draft{Time: s.Now(), Body: body})
	if err != nil {
		return err
	}
	_, err = ledger.Record(ctx, s.Ledger, m)
	if lost := (*ledger.Conflict)(nil); errors.As(err, &lost) {
		return nil // another process was faster
	}
	return err
}
