package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/productid/productid/host/product"
)

// Pictures keeps pictures by their hash.
type Pictures interface {
	Image(ctx context.Context, hash product.Hash) ([]byte, string, error)
}

// Images is the handler of /image/{hash}: pictures of products and logos. What a hash names never changes.
func Images(from Pictures, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, err := product.ParseHash(r.PathValue("hash"))
		if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.NotFound(w, r)
			return
		}
		data, kind, err := from.Image(r.Context(), hash)
		if errors.Is(err, product.ErrUnknownImage) {
			http.NotFound(w, r)
			return
		}
		if err != nil {
			log.ErrorContext(r.Context(), "picture cannot be read", "hash", r.PathValue("hash"), "error", err)
			http.Error(w, "503 picture cannot be read right now", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Write(data) // whoever asked has gone, if it fails
	})
}

// ImagePath returns where a picture is, "" for none.
func (v *View) ImagePath(i *product.Image) string {
	if i == nil {
		return ""
	}
	return "/image/" + i.Hash.String()
}
