package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/pkg/channel"
)

// SetupLife is how long a set-up link can be used.
const SetupLife = 30 * time.Minute

// SetupLink lets its bearer become an issuer's first owner, once.
type SetupLink struct {
	Issuer  channel.ID
	URL     identity.Secret
	Expires time.Time
}

// Setup makes a link for each issuer that has no owner yet, and voids those that it made before. The secret stands behind a #, so that
// no server on the way sees it, and no log.
func (s *Service) Setup(ctx context.Context) ([]SetupLink, error) {
	var links []SetupLink
	for _, issuer := range s.House.Issuers {
		i, err := s.rooms.people.Setup(ctx, issuer, "Owner", SetupLife)
		if errors.Is(err, identity.ErrHasOwner) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("making the set-up link: %w", err)
		}
		links = append(links, SetupLink{issuer, i.Link(s.Base), i.Expires})
	}
	return links, nil
}
