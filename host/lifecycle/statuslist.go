package lifecycle

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

// MediaStatusList is the media type of a status list.
const MediaStatusList = "application/vc+jwt"

const (
	minBits = 131072           // of a list, so that it tells little about who is asked for (Bitstring Status List §6.1)
	fresh   = 5 * time.Minute  // from what age on a list is made anew
	usable  = 10 * time.Minute // how old one may be that is given out while another is made
	valid   = time.Hour        // how long it is good for who has it
)

// list is an issuer's status list as it was made last.
type list struct {
	making sync.Mutex // held while it is made anew
	newest atomic.Pointer[made]
}

// made is a list that was made, at a time.
type made struct {
	token []byte
	at    time.Time
}

// younger reports whether there is a list that is younger than that.
func (m *made) younger(now time.Time, age time.Duration) bool {
	return m != nil && now.Sub(m.at) < age && !now.Before(m.at)
}

// credential is the list as a W3C Verifiable Credential (data model 2.0), secured as its JWT (VC-JOSE-COSE).
type credential struct {
	Context []string  `json:"@context"`
	ID      string    `json:"id"`
	Type    []string  `json:"type"`
	Issuer  string    `json:"issuer"`
	From    time.Time `json:"validFrom"`
	Until   time.Time `json:"validUntil"`
	Subject subject   `json:"credentialSubject"`
}

type subject struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	List    string `json:"encodedList"`
}

// StatusList returns the issuer's list of revoked cards: a Bitstring Status List credential (W3C Recommendation) as a JWT, signed by the
// key of the issuer's own channel, so that whoever knows the issuer can check it. The bit at the number of a card's registration on
// that channel is 1 when the card is revoked. A list lags at most ten minutes behind the ledger, usually five, not at all behind this
// Service's own revocations, and is good for an hour. To make one reads every card: who comes meanwhile gets the one before.
//
// Errors: registry.ErrUnknownIssuer, secrets.ErrElsewhere, those of the registry and the ledger.
func (s *Service) StatusList(ctx context.Context, issuer channel.ID) ([]byte, error) {
	if _, err := s.Registry.Issuer(ctx, issuer); err != nil {
		return nil, fmt.Errorf("status list of issuer %v: %w", issuer, err)
	}
	l := s.listOf(issuer)
	if m := l.newest.Load(); m.younger(s.Now(), fresh) {
		return m.token, nil
	}
	if !l.making.TryLock() {
		if m := l.newest.Load(); m.younger(s.Now(), usable) {
			return m.token, nil
		}
		l.making.Lock()
	}
	defer l.making.Unlock()
	now := s.Now() // before anything is read
	if m := l.newest.Load(); m.younger(now, fresh) {
		return m.token, nil
	}
	token, err := s.makeList(ctx, issuer, now)
	if err != nil {
		return nil, fmt.Errorf("status list of issuer %v: %w", issuer, err)
	}
	l.newest.Store(&made{token, now})
	return token, nil
}

func (s *Service) listOf(issuer channel.ID) *list {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists[issuer] == nil {
		s.lists[issuer] = &list{}
	}
	return s.lists[issuer]
}

// renewLists forgets all lists. One that is being made now is not given out again either.
func (s *Service) renewLists() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.lists)
}

func (s *Service) makeList(ctx context.Context, issuer channel.ID, at time.Time) ([]byte, error) {
	author, err := s.Authors.Issuer(issuer)
	if err != nil {
		return nil, err
	}
	bits, err := s.revoked(ctx, issuer)
	if err != nil {
		return nil, err
	}
	encoded, err := encodeList(bits)
	if err != nil {
		return nil, err
	}
	url, at := s.ListURL(issuer), at.UTC().Truncate(time.Second)
	payload, err := json.Marshal(credential{
		Context: []string{"https://www.w3.org/ns/credentials/v2"}, ID: url, Type: []string{"VerifiableCredential", "BitstringStatusListCredential"},
		Issuer: didOf(issuer), From: at, Until: at.Add(valid),
		Subject: subject{ID: url + "#list", Type: "BitstringStatusList", Purpose: "revocation", List: encoded},
	})
	if err != nil {
		return nil, err
	}
	return sign(author, payload)
}

// revoked returns the issuer's list as bits, the first in the highest bit of the first byte.
func (s *Service) revoked(ctx context.Context, issuer channel.ID) ([]byte, error) {
	if err := s.Registry.Sync(ctx); err != nil {
		return nil, err
	}
	bits := make([]byte, minBits/8)
	for card, err := range s.Registry.Cards(ctx) {
		if err != nil {
			return nil, err
		}
		if card.Issuer != issuer {
			continue
		}
		index := card.Registered.Number
		for index >= uint64(len(bits))*8 {
			bits = append(bits, make([]byte, len(bits))...)
		}
		if card.State == record.StateRevoked {
			bits[index/8] |= 0x80 >> (index % 8)
		}
	}
	return bits, nil
}

// encodeList compresses the bits and writes them in multibase, where u is base64url.
func encodeList(bits []byte) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(bits); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes()), nil
}

// tokenSigner lets go-jose sign with a channel's key, which leaves its author as little as possible.
type tokenSigner struct{ *channel.Author }

// Public returns the channel's key, by the name that it has in its own DID.
func (t tokenSigner) Public() *jose.JSONWebKey {
	id := t.Channel()
	did := didOf(id)
	return &jose.JSONWebKey{Key: ed25519.PublicKey(id[:]), KeyID: did + "#" + did[len(didKey):]}
}

// Algs returns the one algorithm of a channel's key.
func (tokenSigner) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.EdDSA} }

// SignPayload signs the signing input of a JWS.
func (t tokenSigner) SignPayload(input []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return t.SignToken(input)
}

func sign(author *channel.Author, payload []byte) ([]byte, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: tokenSigner{author}},
		(&jose.SignerOptions{}).WithType("vc+jwt").WithContentType("vc"))
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, err
	}
	token, err := signed.CompactSerialize()
	return []byte(token), err
}

const didKey = "did:key:"

// didOf writes an issuer's channel, which is an Ed25519 key, as a DID that holds the key itself (did:key): multibase z is base58 with
// Bitcoin's alphabet, multicodec ed 01 is Ed25519.
func didOf(issuer channel.ID) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	n, base, digit := new(big.Int).SetBytes(append([]byte{0xED, 0x01}, issuer[:]...)), big.NewInt(int64(len(alphabet))), new(big.Int)
	var text []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		text = append([]byte{alphabet[digit.Int64()]}, text...)
	}
	return didKey + "z" + string(text)
}
