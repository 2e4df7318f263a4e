package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// answerWithin bounds one try, from the name's resolution to the answer's end.
	answerWithin = 10 * time.Second
	// maxAnswer is how much of an answer is read: enough to use the connection again.
	maxAnswer = 16 << 10
)

// newClient returns the client that webhooks are sent with. No proxy is asked, for it would dial in our place.
func (s *Service) newClient() *http.Client {
	dialer := &net.Dialer{Timeout: answerWithin / 2}
	if !s.AllowPrivate {
		dialer.Control = dialPublic
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        s.TLS.Clone(),
			TLSHandshakeTimeout:    answerWithin / 2,
			MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       answerWithin,
	}
}

// errAnswer says that the other side answered, and did not take it.
var errAnswer = errors.New("endpoint answered")

// send makes one try. nil says that the endpoint took the event.
func (s *Service) send(ctx context.Context, id, address string, e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "ProductID")
	r.Header.Set(HeaderEvent, e.ID)
	r.Header.Set(HeaderSignature, signature(s.secret(id), s.Now(), body))
	answer, err := s.client.Do(r)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // without the URL, which may hold a secret of the receiver's
		}
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // what it says does not matter
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%w %d", errAnswer, answer.StatusCode)
	}
	return nil
}
