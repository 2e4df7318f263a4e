package devnet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// programs are what a network is made of.
var programs = []string{"hornet", "coordinator", "keeper"}

// Programs finds the folder where scripts/devnet/build.sh puts the programs of a module (the folder scripts/devnet of the source tree).
// The error is ErrNotBuilt when they are not there: they belong to exactly these files, older ones are not taken.
func Programs(module string) (string, error) {
	key, err := key(module)
	if err != nil {
		return "", fmt.Errorf("looking for the devnet's programs: %w", err)
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("looking for the devnet's programs: %w", err)
		}
		cache = filepath.Join(home, ".cache")
	}
	folder := filepath.Join(cache, "productid", "devnet", key)
	return folder, built(folder)
}

func built(folder string) error {
	for _, p := range programs {
		info, err := os.Stat(filepath.Join(folder, p))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return fmt.Errorf("looking for the devnet's programs: %w", ErrNotBuilt)
		}
	}
	return nil
}

// key names the state of a module: build.sh computes the same. It is SHA-256 of what sha256sum says of go.mod, go.sum and the Go files
// that are no tests, sorted by path; 16 digits.
func key(module string) (string, error) {
	var files []string
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "go.mod" || name == "go.sum" {
			relative, err := filepath.Rel(module, path)
			files = append(files, relative)
			return err
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	sort.Strings(files)
	all := sha256.New()
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%x  %s\n", sha256.Sum256(text), filepath.ToSlash(name))
	}
	return hex.EncodeToString(all.Sum(nil))[:16], nil
}
