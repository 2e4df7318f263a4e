package product

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Image is a picture that is kept. It is named by the SHA-256 of its bytes, so an address with that name never changes its content.
type Image struct {
	Hash          Hash
	Type          string // image/png or image/jpeg
	Width, Height int    // pixels, at most MaxSide each
}

// Hash names a picture.
type Hash [sha256.Size]byte

// ParseHash reads the text form of a hash. The error is ErrUnknownImage: nothing else can be under such a name.
func ParseHash(text string) (Hash, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != sha256.Size || hex.EncodeToString(b) != text {
		return Hash{}, ErrUnknownImage
	}
	return Hash(b), nil
}

// String returns 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// orphan is how long a picture is kept that nobody shows: between its upload and the form that names it.
const orphan = time.Hour

// AddImage makes a picture of what somebody uploaded, a PNG, JPEG or GIF of at most MaxUpload bytes and MaxPixels pixels, and keeps
// it: turned upright, scaled to at most MaxSide pixels a side, encoded anew, so that nothing but the pixels is left. Of an animation
// the first frame remains. Put or PutFace has to name it within an hour. The error is *BadPicture.
func (p *Products) AddImage(ctx context.Context, upload []byte) (Image, error) {
	select {
	case p.decode <- struct{}{}:
		defer func() { <-p.decode }()
	case <-ctx.Done():
		return Image{}, fmt.Errorf("reading a picture: %w", ctx.Err())
	}
	made, err := remake(upload)
	if err != nil {
		return Image{}, err
	}
	i := Image{Hash: sha256.Sum256(made.bytes), Type: made.kind, Width: made.width, Height: made.height}
	err = p.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO images (hash, type, width, height, added, bytes, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (hash) DO UPDATE SET type = excluded.type, width = excluded.width, height = excluded.height, added = excluded.added,
			bytes = excluded.bytes, mac = excluded.mac`,
			i.Hash[:], i.Type, i.Width, i.Height, p.o.Now().UnixMilli(), made.bytes, p.sealer.Seal("images", imageValues(i)...))
		return err
	})
	if err != nil {
		return Image{}, told("keeping a picture", err)
	}
	return i, nil
}

// Image returns a picture's bytes and type. The error is ErrUnknownImage, also for a picture that is not as it was kept.
func (p *Products) Image(ctx context.Context, hash Hash) ([]byte, string, error) {
	var content []byte
	var row imageRow
	err := p.db.Read().QueryRowContext(ctx, "SELECT hash, type, width, height, mac, bytes FROM images WHERE hash = $1", hash[:]).
		Scan(append(row.pointers(), &content)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", ErrUnknownImage
	}
	if err != nil {
		return nil, "", told("reading a picture", err)
	}
	image := p.image(&row)
	if sum := sha256.Sum256(content); image == nil || !bytes.Equal(sum[:], hash[:]) {
		return nil, "", fmt.Errorf("%w: it was changed in the database", ErrUnknownImage)
	}
	return content, image.Type, nil
}

// known refuses a picture that is not kept.
func known(ctx context.Context, tx *sql.Tx, i *Image) error {
	if i == nil {
		return nil
	}
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM images WHERE hash = $1", i.Hash[:]).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return ErrUnknownImage
	}
	return nil
}

// sweep removes the pictures that nobody shows.
func (p *Products) sweep(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM images WHERE added < $1
		AND NOT EXISTS (SELECT 1 FROM faces f WHERE f.logo = images.hash)
		AND NOT EXISTS (SELECT 1 FROM products p WHERE p.picture = images.hash)`, p.o.Now().Add(-orphan).UnixMilli())
	return err
}

// hashOf is nil for none.
func hashOf(i *Image) []byte {
	if i == nil {
		return nil
	}
	return i.Hash[:]
}
