package station

import "context"

// Step names one step of personalisation. The names are stable: they stand in reports for machines.
type Step string

// The steps, in order.
const (
	StepCard      Step = "card"
	StepKey       Step = "key"
	StepTemplate  Step = "template"
	StepIssuer    Step = "issuer"
	StepRegister  Step = "register"
	StepRehearse  Step = "rehearse"
	StepLock      Step = "lock"
	StepTap       Step = "tap"
	StepInService Step = "in_service"
)

// Doing says what happens while the step lasts.
func (s Step) Doing() string { return s.words().doing }

// Done says what holds after it.
func (s Step) Done() string { return s.words().done }

type words struct{ doing, done string }

func (s Step) words() words {
	switch s {
	case StepCard:
		return words{"looking at the card", "card found"}
	case StepKey:
		return words{"making the key on the card", "key made on the card"}
	case StepTemplate:
		return words{"writing the template", "template on the card"}
	case StepIssuer:
		return words{"opening the issuer's channel", "issuer's channel open"}
	case StepRegister:
		return words{"registering the card", "registered"}
	case StepRehearse:
		return words{"reading the rehearsal as a phone does", "rehearsal read back as a phone reads it"}
	case StepLock:
		return words{"locking the card", "locked"}
	case StepTap:
		return words{"reading the locked card as a phone does", "locked card read as a phone reads it"}
	case StepInService:
		return words{"putting the card in service", "in service"}
	}
	return words{string(s), string(s)}
}

// step is a Step with what it does; run looks first whether there is anything to do.
type step struct {
	name Step
	run  func(context.Context) (detail string, err error)
}

func (j *job) steps() []step {
	all := []step{
		{StepCard, j.look},
		{StepKey, j.makeKey},
		{StepTemplate, j.configure},
		{StepIssuer, j.openIssuer}, // not before: until somebody agreed to the key nothing is written anywhere
		{StepRegister, j.register},
		{StepRehearse, j.rehearse},
	}
	if j.order.Lock {
		all = append(all, step{StepLock, j.lock}, step{StepTap, j.firstTap}, step{StepInService, j.putInService})
	}
	return all
}
