package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// enrolCeremony is a passkey in the making: for who redeems an invitation, or for somebody who is signed in.
type enrolCeremony struct {
	Session    webauthn.SessionData
	Person     string
	Name       string
	Invitation []byte // the token's hash; none for who is signed in
}

const (
	kindEnrol   = "passkey enrolment"
	kindPasskey = "further passkey"
)

// BeginEnrol begins to redeem an invitation with a new passkey: options go to navigator.credentials.create (their member
// publicKey, by PublicKeyCredential.parseCreationOptionsFromJSON), ceremony comes back with the answer within 10 minutes. The
// invitation stays good until FinishEnrol. Errors: ErrUnknownInvitation, ErrExpiredInvitation, ErrNoPasskeys.
func (i *Identity) BeginEnrol(ctx context.Context, token Secret) (options json.RawMessage, ceremony string, err error) {
	options, ceremony, err = i.beginEnrol(ctx, hashed(token.Reveal()))
	if err != nil {
		return nil, "", fmt.Errorf("beginning to enrol: %w", err)
	}
	return options, ceremony, nil
}

func (i *Identity) beginEnrol(ctx context.Context, invitation []byte) (json.RawMessage, string, error) {
	v, err := i.invitation(ctx, i.db.Read(), invitation)
	if err != nil {
		return nil, "", err
	}
	c := enrolCeremony{Person: v.Person, Name: v.Name, Invitation: invitation}
	if c.Person == "" {
		if c.Person, err = i.random(idBytes); err != nil {
			return nil, "", err
		}
	}
	return i.beginPasskey(kindEnrol, c, nil)
}

// beginPasskey asks for a passkey of the ceremony's person on an authenticator that has none of known.
func (i *Identity) beginPasskey(kind string, c enrolCeremony, known []protocol.CredentialDescriptor) (options json.RawMessage, ceremony string, err error) {
	if i.party == nil {
		return nil, "", ErrNoPasskeys
	}
	creation, session, err := i.party.BeginRegistration(&holder{id: c.Person, name: c.Name}, webauthn.WithExclusions(known))
	if err != nil {
		return nil, "", err
	}
	c.Session = *session
	if ceremony, err = i.put(kind, c); err == nil {
		options, err = json.Marshal(creation)
	}
	return options, ceremony, err
}

// FinishEnrol checks the authenticator's answer, uses the invitation up and returns the person whom it made, with his recovery
// codes, which nobody can be shown again. When a recovery code had given the invitation, it is the person of before: he has a
// passkey more and new codes, and all his sessions have ended. Of two who finish with one invitation one does. Errors:
// ErrUnknownInvitation, ErrExpiredInvitation, ErrHasOwner, ErrBadCeremony, ErrExpiredCeremony, ErrUsedCeremony, ErrBadPasskey,
// ErrKnownPasskey, ErrNoPasskeys.
func (i *Identity) FinishEnrol(ctx context.Context, ceremony string, response []byte) (Person, []RecoveryCode, error) {
	p, codes, err := i.finishEnrol(ctx, ceremony, response)
	if err != nil {
		return Person{}, nil, fmt.Errorf("enrolling: %w", err)
	}
	return p, codes, nil
}

func (i *Identity) finishEnrol(ctx context.Context, ceremony string, response []byte) (p Person, codes []RecoveryCode, err error) {
	c, expires, credential, err := i.checkPasskey(kindEnrol, ceremony, response)
	if err != nil {
		return p, nil, err
	}
	err = i.update(ctx, func(tx *sql.Tx) error {
		v, err := i.redeem(ctx, tx, c.Invitation)
		if err != nil {
			return err
		}
		if v.Person != "" {
			_, err = tx.ExecContext(ctx, "DELETE FROM sessions WHERE person = $1", v.Person)
		} else {
			err = i.admit(ctx, tx, v, c.Person)
		}
		if err != nil {
			return err
		}
		if _, err := i.putPasskey(ctx, tx, c.Person, "", credential); err != nil {
			return err
		}
		if codes, err = i.putRecovery(ctx, tx, c.Person); err != nil {
			return err
		}
		if err := i.use(ctx, tx, ceremony, expires); err != nil {
			return err
		}
		p, err = person(ctx, tx, c.Person)
		p.Joined = v.Issuer // none where it was a way back
		return err
	})
	return p, codes, err
}

// checkPasskey opens a ceremony and verifies what the authenticator made.
func (i *Identity) checkPasskey(kind, ceremony string, response []byte) (c enrolCeremony, expires int64, credential *webauthn.Credential, err error) {
	if i.party == nil {
		return c, 0, nil, ErrNoPasskeys
	}
	if expires, err = i.take(kind, ceremony, &c); err != nil {
		return c, 0, nil, err
	}
	if len(response) > maxResponse {
		return c, 0, nil, ErrBadPasskey
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return c, 0, nil, badPasskey(err)
	}
	if credential, err = i.party.CreateCredential(&holder{id: c.Person, name: c.Name}, c.Session, answer); err != nil {
		return c, 0, nil, badPasskey(err)
	}
	return c, expires, credential, nil
}

func (i *Identity) putPasskey(ctx context.Context, tx *sql.Tx, person, name string, credential *webauthn.Credential) (k Passkey, err error) {
	record, err := json.Marshal(credential)
	if err != nil {
		return k, err
	}
	if k.ID, err = i.random(idBytes); err != nil {
		return k, err
	}
	k.Name, k.Synced, k.Created = name, credential.Flags.BackupState, fromMillis(i.o.Now().UnixMilli())
	n, err := changed(tx.ExecContext(ctx, `INSERT INTO passkeys (credential, id, person, name, record, created_ms, used_ms)
		VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (credential) DO NOTHING`, credential.ID, k.ID, person, name, string(record), millis(k.Created)))
	if err == nil && n == 0 {
		err = ErrKnownPasskey
	}
	return k, err
}

// BeginPasskey begins a further passkey for somebody who is signed in, on an authenticator that has none of his yet: see BeginEnrol.
// Errors: ErrUnknownPerson, ErrNoPasskeys.
func (i *Identity) BeginPasskey(ctx context.Context, id string) (options json.RawMessage, ceremony string, err error) {
	p, err := person(ctx, i.db.Read(), id)
	if err == nil {
		var known []protocol.CredentialDescriptor
		known, err = query(ctx, i.db.Read(), scanDescriptor, "SELECT record FROM passkeys WHERE person = $1", id)
		if err == nil {
			options, ceremony, err = i.beginPasskey(kindPasskey, enrolCeremony{Person: id, Name: p.Name}, known)
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("beginning a further passkey: %w", err)
	}
	return options, ceremony, nil
}

func scanDescriptor(scan func(...any) error) (d protocol.CredentialDescriptor, err error) {
	var record string
	if err := scan(&record); err != nil {
		return d, err
	}
	var c webauthn.Credential
	err = json.Unmarshal([]byte(record), &c)
	return c.Descriptor(), err
}

// FinishPasskey adds the passkey that BeginPasskey began, under a name of the person's choice, which may be empty. It is for him
// alone who began it. Errors: ErrName, ErrBadCeremony, ErrExpiredCeremony, ErrUsedCeremony, ErrBadPasskey, ErrKnownPasskey,
// ErrUnknownPerson, ErrNoPasskeys.
func (i *Identity) FinishPasskey(ctx context.Context, id, ceremony, name string, response []byte) (Passkey, error) {
	k, err := i.finishPasskey(ctx, id, ceremony, name, response)
	if err != nil {
		return Passkey{}, fmt.Errorf("adding a passkey: %w", err)
	}
	return k, nil
}

func (i *Identity) finishPasskey(ctx context.Context, id, ceremony, name string, response []byte) (k Passkey, err error) {
	if strings.TrimSpace(name) != "" {
		if name, err = checkName(name); err != nil {
			return k, err
		}
	}
	c, expires, credential, err := i.checkPasskey(kindPasskey, ceremony, response)
	if err == nil && c.Person != id {
		err = ErrBadCeremony
	}
	if err != nil {
		return k, err
	}
	err = i.update(ctx, func(tx *sql.Tx) error {
		p, err := person(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(p.Roles) == 0 {
			return ErrUnknownPerson // he left meanwhile, and his ways in went with him
		}
		if k, err = i.putPasskey(ctx, tx, id, strings.TrimSpace(name), credential); err != nil {
			return err
		}
		return i.use(ctx, tx, ceremony, expires)
	})
	return k, err
}
