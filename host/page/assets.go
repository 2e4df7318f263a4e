package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed layout
var layouts embed.FS

//go:embed static
var static embed.FS

// Assets is the static files of the site, each under a name that holds a hash of its content: a browser may keep it for good. It is
// the handler of /static/, and may be used by many goroutines.
type Assets struct {
	paths map[string]string // by the file's own name
	files map[string]asset  // by path
}

type asset struct {
	kind string
	data []byte
}

const assetsAt = "/static/"

// NewAssets returns the layout's own files and those of the rooms. A stylesheet may name another file of them as url(name.svg).
func NewAssets(rooms ...fs.FS) (*Assets, error) {
	a := &Assets{map[string]string{}, map[string]asset{}}
	own, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	all := append([]fs.FS{own}, rooms...)
	for _, sheets := range []bool{false, true} { // what stylesheets name comes before them
		for _, from := range all {
			if err := a.add(from, sheets); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

func (a *Assets) add(from fs.FS, sheets bool) error {
	entries, err := fs.ReadDir(from, ".")
	if err != nil {
		return fmt.Errorf("reading static files: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || (path.Ext(name) == ".css") != sheets {
			continue
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("reading static files: %w", err)
		}
		if _, twice := a.paths[name]; twice {
			return fmt.Errorf("static file %s is there twice", name)
		}
		if sheets {
			data = a.resolve(data)
		}
		a.put(name, data)
	}
	return nil
}

// resolve puts the paths of files into a stylesheet that names them.
func (a *Assets) resolve(sheet []byte) []byte {
	for name, at := range a.paths {
		sheet = bytes.ReplaceAll(sheet, []byte("url("+name+")"), []byte("url("+at+")"))
	}
	return sheet
}

func (a *Assets) put(name string, data []byte) {
	sum := sha256.Sum256(data)
	ext := path.Ext(name)
	at := assetsAt + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	a.paths[name] = at
	a.files[at] = asset{kindOf(ext), data}
}

// kindOf does not ask the system's table, which differs from machine to machine.
func kindOf(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

// Path returns where the file with this name is.
func (a *Assets) Path(name string) (string, error) {
	at, known := a.paths[name]
	if !known {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return at, nil
}

// ServeHTTP sends a file. A path with an old hash is not found: whoever asks for it has an old page.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, known := a.files[r.URL.Path]
	if !known || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.data))
}
