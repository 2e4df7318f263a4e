package station

import (
	"context"
	"fmt"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// Planned is one step that a run would do: the commands for the card or the record for the ledger.
type Planned struct {
	Step     Step
	Commands [][]byte // whole command APDUs
	Record   []byte   // the message's body; what only the card can fill in stands empty
}

// Plan says what Personalise would do to this card now. It reads from card and ledger and writes to neither: no key is
// made, no counter used up. A card that would be refused is refused here.
func (s *Station) Plan(ctx context.Context, t apdu.Transmitter, o Order) ([]Planned, error) {
	if err := s.Check(o); err != nil {
		return nil, fmt.Errorf("checking the order: %w", err)
	}
	r := &recorder{reader: t}
	j := &job{Station: s, reader: r, order: o}
	if _, err := j.look(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", StepCard.Doing(), err)
	}
	on, err := j.templateOnCard()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", StepTemplate.Doing(), err)
	}
	if j.info.State == card.Locked {
		if err := j.lockedAs(on); err != nil {
			return nil, fmt.Errorf("%s: %w", StepTemplate.Doing(), err)
		}
	}
	return j.plan(r, on)
}

func (j *job) plan(r *recorder, on tap.Template) ([]Planned, error) {
	var plan []Planned
	if j.info.State == card.Installed {
		plan = append(plan, r.record(StepKey, func() { j.card.Generate(j.order.Algorithm) }))
	}
	if j.info.State != card.Locked {
		if p := r.record(StepTemplate, func() { j.write(on) }); len(p.Commands) > 0 {
			plan = append(plan, p)
		}
	}
	if j.registered == nil {
		body, err := j.unsigned().Encode()
		if err != nil {
			return nil, err
		}
		nonce, err := j.nonce()
		if err != nil {
			return nil, err
		}
		challenge := r.record(StepRegister, func() {
			j.card.Challenge(nonce, record.RegistrationContext(j.issuer.Channel(), j.tapsChannel()))
		})
		challenge.Record = body
		plan = append(plan, challenge)
	}
	if j.order.Lock && j.info.State != card.Locked {
		plan = append(plan, r.record(StepLock, func() { j.card.Lock(j.info.ID) }))
	}
	if j.order.Lock && (j.registered == nil || j.registered.State == "") {
		body, err := record.CardInService{Last: j.info.Counter, State: record.StateInService}.Encode()
		if err != nil {
			return nil, err
		}
		plan = append(plan, Planned{Step: StepInService, Record: body})
	}
	return plan, nil
}

// unsigned is the registration without the card's proof.
func (j *job) unsigned() record.CardRegistered {
	r := j.order.record(j.Name, j.info, j.info.ID)
	r.ID, r.Key, r.Taps = j.info.ID, j.key.Bytes(), j.tapsChannel()
	return r
}

// tapsChannel is zeros for a card without a key.
func (j *job) tapsChannel() channel.ID {
	if j.taps == nil {
		return channel.ID{}
	}
	return j.taps.Channel()
}

// recorder passes commands through, except while it records: then it notes them and performs none.
type recorder struct {
	reader    apdu.Transmitter
	recording bool
	commands  [][]byte
}

// record notes the commands that send sends. What send makes of the answers means nothing: they are made up.
func (r *recorder) record(name Step, send func()) Planned {
	r.recording, r.commands = true, nil
	defer func() { r.recording = false }()
	send()
	return Planned{Step: name, Commands: r.commands}
}

// Transmit answers 9000 while it records.
func (r *recorder) Transmit(command []byte) ([]byte, error) {
	if !r.recording {
		return r.reader.Transmit(command)
	}
	r.commands = append(r.commands, command)
	return []byte{0x90, 0x00}, nil
}
