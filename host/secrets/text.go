package secrets

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// The versions of the text. The first holds one issuer, without its name, whose cards have their channels under the master.
const (
	firstVersion = 1
	version      = 2
)

// The text's types print what they hold, so they stay in this file.
type (
	textV2 struct {
		Version  int                 `json:"version"`
		Created  time.Time           `json:"created"`
		Unbegun  bool                `json:"unbegun,omitempty"`
		Resuming bool                `json:"resuming,omitempty"`
		Lost     []lostText          `json:"lostLogs,omitempty"`
		Master   seedText            `json:"master"`
		Log      string              `json:"log"`
		Issuers  []issuerText        `json:"issuers"`
		Keys     map[string]seedText `json:"keys,omitempty"`
		Former   *ledger.Policy      `json:"former,omitempty"`
	}
	issuerText struct {
		Created    time.Time   `json:"created"`
		Name       string      `json:"name"`
		URL        string      `json:"url,omitempty"`
		Seed       seedText    `json:"seed"`
		Next       seedText    `json:"next"`
		Taps       seedText    `json:"tapMaster"`
		Moved      bool        `json:"moved,omitempty"`
		Generation uint32      `json:"generation,omitempty"`
		Previous   *channel.ID `json:"previous,omitempty"`
		Sandbox    bool        `json:"sandbox,omitempty"`
	}
	lostText struct {
		Key   string    `json:"key"`
		Lost  time.Time `json:"lost"`
		Since time.Time `json:"since"`
		Size  uint64    `json:"messages"`
	}
	textV1 struct {
		Version    int       `json:"version"`
		Created    time.Time `json:"created"`
		Master     seedText  `json:"tapMaster"`
		Issuer     seedText  `json:"issuer"`
		IssuerNext seedText  `json:"issuerNext"`
		Log        string    `json:"log"`
	}
	seedText [32]byte // in base64url
)

func (s seedText) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, s[:]), nil
}

func (s *seedText) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(s) {
		return errors.New("a seed is not 32 bytes of base64url")
	}
	*s = seedText(b)
	return nil
}

// text is what a file of secrets holds, always of the newest version.
func (s Secrets) text() ([]byte, error) {
	file := textV2{Version: version, Created: s.Created, Unbegun: s.Unbegun, Resuming: s.Resuming, Master: seedText(s.Master), Log: string(s.Log), Former: s.former()}
	for _, i := range s.Issuers {
		one := issuerText{i.Created, i.Name, i.URL, seedText(i.Seed), seedText(i.Next), seedText(i.Taps), i.Moved, i.Generation, nil, i.Sandbox}
		if i.Previous != (channel.ID{}) {
			one.Previous = &i.Previous
		}
		file.Issuers = append(file.Issuers, one)
	}
	for _, l := range s.Lost {
		file.Lost = append(file.Lost, lostText(l))
	}
	for purpose, key := range s.Keys {
		if file.Keys == nil {
			file.Keys = make(map[string]seedText)
		}
		file.Keys[purpose] = seedText(key)
	}
	text, err := json.MarshalIndent(file, "", "\t")
	return append(text, '\n'), err
}

// parse refuses what text never wrote, such as a file that was cut off or filled in by hand.
func parse(text []byte) (Secrets, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Secrets{}, errors.New("they are no JSON object that is whole")
	}
	var s Secrets
	var err error
	switch head.Version {
	case firstVersion:
		s, err = parseFirst(text)
	case version:
		s, err = parseNewest(text)
	default:
		return Secrets{}, fmt.Errorf("version %d, this program knows %d and %d", head.Version, firstVersion, version)
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return Secrets{}, err
	}
	return s, nil
}

func parseFirst(text []byte) (Secrets, error) {
	var file textV1
	if err := decode(text, &file); err != nil {
		return Secrets{}, err
	}
	return Secrets{
		Created: file.Created, Master: channel.Seed(file.Master), Log: LogKey(file.Log),
		Issuers: []Issuer{{
			Created: file.Created, Seed: channel.Seed(file.Issuer), Next: channel.Seed(file.IssuerNext), Taps: channel.Seed(file.Master),
		}},
	}, nil
}

func parseNewest(text []byte) (Secrets, error) {
	var file textV2
	if err := decode(text, &file); err != nil {
		return Secrets{}, err
	}
	s := Secrets{Created: file.Created, Unbegun: file.Unbegun, Resuming: file.Resuming, Master: channel.Seed(file.Master), Log: LogKey(file.Log)}
	for _, i := range file.Issuers {
		one := Issuer{i.Created, i.Name, i.URL, channel.Seed(i.Seed), channel.Seed(i.Next), channel.Seed(i.Taps), i.Moved, i.Generation, channel.ID{}, i.Sandbox}
		if i.Previous != nil {
			one.Previous = *i.Previous
		}
		s.Issuers = append(s.Issuers, one)
	}
	for _, l := range file.Lost {
		s.Lost = append(s.Lost, LostLog(l))
	}
	if file.Former != nil {
		if err := file.Former.Check(); err != nil {
			return Secrets{}, fmt.Errorf("whom to trust for former ledgers: %w", err)
		}
		s.Former = *file.Former
	}
	for purpose, key := range file.Keys {
		if s.Keys == nil {
			s.Keys = make(map[string]channel.Seed)
		}
		s.Keys[purpose] = channel.Seed(key)
	}
	return s, nil
}

func decode(text []byte, file any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(file); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind them")
	}
	return nil
}

// check says what is missing or there twice.
func (s Secrets) check() error {
	if len(s.Issuers) == 0 {
		return errors.New("there is no issuer")
	}
	seeds, known, sandboxes := []channel.Seed{s.Master}, make(map[channel.Seed]bool), 0
	for _, i := range s.Issuers {
		if i.Sandbox {
			sandboxes++
		}
		if known[i.Seed] {
			return errors.New("an issuer is there twice")
		}
		known[i.Seed] = true
		seeds = append(seeds, i.Seed, i.Next, i.Taps)
	}
	if sandboxes > 1 {
		return errors.New("there are two issuers of test cards")
	}
	for _, key := range s.Keys {
		seeds = append(seeds, key)
	}
	for _, seed := range seeds {
		if seed == (channel.Seed{}) {
			return errors.New("a seed is missing")
		}
	}
	if _, err := note.NewSigner(string(s.Log)); err != nil {
		return errors.New("the log's key is none")
	}
	return s.checkLost()
}
