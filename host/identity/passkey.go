package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/productid/productid/host/store"
)

// Why a passkey is not made or does not let in.
const (
	// ErrNoPasskeys says that this service has no passkeys: its host is an address, and they are bound to a name.
	ErrNoPasskeys = refusal("passkeys need a host with a name: set the base URL to https://NAME, or to http://localhost on this machine")
	// ErrBadPasskey says that the browser's answer does not fit what was asked, or does not verify.
	ErrBadPasskey = refusal("the passkey's answer does not hold")
	// ErrUnknownPasskey says that nobody here has this passkey.
	ErrUnknownPasskey = refusal("nobody here has this passkey")
	// ErrClonedPasskey says that the authenticator counts less than it did: there may be a second one with the same key.
	ErrClonedPasskey = refusal("the passkey's counter went back, so there may be a copy of it: remove this passkey and make a new one")
	// ErrKnownPasskey refuses an authenticator's second passkey under one id.
	ErrKnownPasskey = refusal("this passkey is known already")
	// ErrLastWayIn keeps somebody from locking himself out.
	ErrLastWayIn = refusal("the last way to sign in stays: add another one first")
)

// Passkey is one authenticator's key for a person.
type Passkey struct {
	ID      string
	Name    string // what he calls it; may be empty
	Synced  bool   // it is kept on several devices by whoever made them
	Created time.Time
	Used    time.Time // zero when it has not signed him in yet
}

// maxResponse bounds what a browser answers with; attestation objects are a few kilobytes.
const maxResponse = 64 << 10

// newRelyingParty is the service as authenticators know it, bound to the host of its base URL; none without one, and where that is
// an address.
func newRelyingParty(o Options) (*webauthn.WebAuthn, error) {
	if o.Origin == nil || net.ParseIP(o.Origin.Hostname()) != nil {
		return nil, nil
	}
	required := true
	return webauthn.New(&webauthn.Config{
		RPID:          o.Origin.Hostname(),
		RPDisplayName: "ProductID",
		RPOrigins:     []string{o.Origin.Scheme + "://" + o.Origin.Host},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required,
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			UserVerification:   protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation,
	})
}

// PasskeyHost returns the host name that passkeys are bound to (WebAuthn's RP id). Errors: ErrNoPasskeys.
func (i *Identity) PasskeyHost() (string, error) {
	if i.party == nil {
		return "", ErrNoPasskeys
	}
	return i.party.Config.RPID, nil
}

// holder is a person as the WebAuthn library sees him. His id is random and so may be the user handle (WebAuthn section 14.6.1).
type holder struct {
	id, name    string
	credentials []webauthn.Credential
}

func (h *holder) WebAuthnID() []byte                         { return []byte(h.id) }
func (h *holder) WebAuthnName() string                       { return h.name }
func (h *holder) WebAuthnDisplayName() string                { return h.name }
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.credentials }

// loginCeremony is a sign-in under way.
type loginCeremony struct {
	Session webauthn.SessionData
}

const kindLogin = "passkey login"

// BeginLogin begins a sign-in by passkey: options go to navigator.credentials.get (their member publicKey, by
// PublicKeyCredential.parseRequestOptionsFromJSON), ceremony comes back with the answer within 10 minutes. Nobody is named: the
// authenticator knows whose it is. Nothing is written. Errors: ErrNoPasskeys.
func (i *Identity) BeginLogin(ctx context.Context) (options json.RawMessage, ceremony string, err error) {
	if i.party == nil {
		return nil, "", fmt.Errorf("beginning to sign in: %w", ErrNoPasskeys)
	}
	assertion, session, err := i.party.BeginDiscoverableLogin()
	if err != nil {
		return nil, "", fmt.Errorf("beginning to sign in: %w", err)
	}
	if ceremony, err = i.put(kindLogin, loginCeremony{*session}); err == nil {
		options, err = json.Marshal(assertion)
	}
	return options, ceremony, err
}

// FinishLogin checks the passkey's answer and returns whose it is; SignIn then begins his session. That the ceremony is over, and
// what the authenticator has counted, is durable. Errors: ErrBadCeremony, ErrExpiredCeremony, ErrUsedCeremony, ErrBadPasskey,
// ErrUnknownPasskey, ErrClonedPasskey, ErrNoPasskeys.
func (i *Identity) FinishLogin(ctx context.Context, ceremony string, response []byte) (Person, error) {
	p, err := i.finishLogin(ctx, ceremony, response)
	if err != nil {
		return Person{}, fmt.Errorf("signing in by passkey: %w", err)
	}
	return p, nil
}

func (i *Identity) finishLogin(ctx context.Context, ceremony string, response []byte) (p Person, err error) {
	if i.party == nil {
		return p, ErrNoPasskeys
	}
	var c loginCeremony
	expires, err := i.take(kindLogin, ceremony, &c)
	if err != nil {
		return p, err
	}
	if len(response) > maxResponse {
		return p, ErrBadPasskey
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return p, badPasskey(err)
	}
	for {
		used, err := i.checkAnswer(ctx, c.Session, answer)
		if errors.Is(err, ErrClonedPasskey) {
			err = i.unlessUsed(ctx, ceremony, err) // the same answer again counts no higher either
		}
		if err != nil {
			return p, err
		}
		err = i.update(ctx, func(tx *sql.Tx) error {
			if err := i.use(ctx, tx, ceremony, expires); err != nil {
				return err
			}
			if err := i.noteAnswer(ctx, tx, used); err != nil {
				return err
			}
			p, err = person(ctx, tx, used.person)
			return err
		})
		if !errors.Is(err, errOvertaken) {
			return p, err
		}
	}
}

// answered is a passkey that answered well: how it stands in the database, and how it is to stand there.
type answered struct {
	person, before, after string
	credential            []byte
}

// errOvertaken says that the passkey's record changed since it was read: the answer is to be checked against the new one.
const errOvertaken = refusal("the passkey was used elsewhere meanwhile")

// checkAnswer verifies the answer against the passkey as it stands. Writers do not wait for it.
func (i *Identity) checkAnswer(ctx context.Context, session webauthn.SessionData, answer *protocol.ParsedCredentialAssertionData) (a answered, err error) {
	a.credential = answer.RawID
	var failed error
	_, credential, err := i.party.ValidatePasskeyLogin(func(id, handle []byte) (webauthn.User, error) {
		h := &holder{id: string(handle), credentials: make([]webauthn.Credential, 1)}
		failed = i.db.Read().QueryRowContext(ctx, "SELECT person, record FROM passkeys WHERE credential = $1", id).Scan(&a.person, &a.before)
		if errors.Is(failed, sql.ErrNoRows) || failed == nil && a.person != h.id {
			failed = ErrUnknownPasskey
		}
		if failed == nil {
			failed = json.Unmarshal([]byte(a.before), &h.credentials[0])
		}
		return h, failed
	}, session, answer)
	switch {
	case failed != nil:
		return a, store.Explain(failed)
	case err != nil:
		return a, badPasskey(err)
	case credential.Authenticator.CloneWarning:
		return a, ErrClonedPasskey
	}
	record, err := json.Marshal(credential)
	a.after = string(record)
	return a, err
}

// noteAnswer stores what the passkey has counted, unless another answer was faster.
func (i *Identity) noteAnswer(ctx context.Context, tx *sql.Tx, a answered) error {
	n, err := changed(tx.ExecContext(ctx, "UPDATE passkeys SET record = $3, used_ms = $4 WHERE credential = $1 AND record = $2",
		a.credential, a.before, a.after, i.o.Now().UnixMilli()))
	if err == nil && n == 0 {
		err = errOvertaken
	}
	return err
}

// badPasskey puts the library's reason behind ErrBadPasskey, for logs.
func badPasskey(err error) error {
	if detailed, ok := errors.AsType[*protocol.Error](err); ok {
		return fmt.Errorf("%w: %q %q", ErrBadPasskey, detailed.Details, detailed.DevInfo)
	}
	return fmt.Errorf("%w: %q", ErrBadPasskey, err)
}

// Passkeys returns the person's passkeys, the oldest first.
func (i *Identity) Passkeys(ctx context.Context, person string) ([]Passkey, error) {
	all, err := query(ctx, i.db.Read(), func(scan func(...any) error) (Passkey, error) {
		var k Passkey
		var record string
		var created, used int64
		if err := scan(&k.ID, &k.Name, &record, &created, &used); err != nil {
			return k, err
		}
		var c webauthn.Credential
		err := json.Unmarshal([]byte(record), &c)
		k.Synced, k.Created, k.Used = c.Flags.BackupState, fromMillis(created), fromMillis(used)
		return k, err
	}, "SELECT id, name, record, created_ms, used_ms FROM passkeys WHERE person = $1 ORDER BY created_ms, id", person)
	if err != nil {
		return nil, fmt.Errorf("listing passkeys: %w", err)
	}
	return all, nil
}

// RemovePasskey takes a passkey of the person away. Errors: ErrUnknownPasskey, ErrLastWayIn.
func (i *Identity) RemovePasskey(ctx context.Context, person, id string) error {
	err := i.update(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, "DELETE FROM passkeys WHERE person = $1 AND id = $2", person, id))
		if err == nil && n == 0 {
			err = ErrUnknownPasskey
		}
		if err != nil {
			return err
		}
		return i.needWayIn(ctx, tx, person)
	})
	if err != nil {
		return fmt.Errorf("removing a passkey: %w", err)
	}
	return nil
}

// needWayIn ends a transaction that would leave the person neither passkey nor provider. Recovery codes are no way in: they run
// out.
func (i *Identity) needWayIn(ctx context.Context, tx *sql.Tx, person string) error {
	var passkeys int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM passkeys WHERE person = $1", person).Scan(&passkeys); err != nil || passkeys > 0 {
		return err
	}
	providers, err := query(ctx, tx, scanText, "SELECT provider FROM subjects WHERE person = $1", person)
	if err != nil {
		return err
	}
	for _, p := range providers {
		if _, ok := i.provider(p); ok {
			return nil
		}
	}
	return ErrLastWayIn
}

func scanText(scan func(...any) error) (text string, err error) {
	err = scan(&text)
	return text, err
}
