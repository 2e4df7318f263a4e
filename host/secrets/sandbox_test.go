package secrets_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
)

func TestOneIssuerMayBeTheSandbox(t *testing.T) {
	dir := t.TempDir()
	safe := secrets.Safe{Dir: dir}
	create(t, dir)
	all, err := safe.Load()
	require.NoError(t, err)
	_, found := all.Sandbox()
	assert.False(t, found)
	want, err := secrets.NewIssuer("tests", "", rand.Reader, time.Now())
	require.NoError(t, err)
	want.Sandbox = true
	_, err = safe.Change(func(all *secrets.Secrets) error {
		all.Issuers = append(all.Issuers, want)
		return nil
	})
	require.NoError(t, err)
	all, err = safe.Load()
	require.NoError(t, err)
	got, found := all.Sandbox()
	assert.True(t, found)
	assert.Equal(t, want, got)

	path := filepath.Join(dir, secrets.File)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(text), `"sandbox": true`))
	twice := strings.Replace(string(text), `"name":`, `"sandbox": true, "name":`, 1)
	require.NoError(t, os.WriteFile(path, []byte(twice), 0o600))
	_, err = safe.Load()
	assert.ErrorContains(t, err, "two issuers of test cards")
}
