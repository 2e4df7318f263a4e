package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStateFolderOfAServiceIsSystemds: a service has no home, or one that is the root.
func TestStateFolderOfAServiceIsSystemds(t *testing.T) {
	dir := t.TempDir()
	env := func(set map[string]string) func(string) string { return func(name string) string { return set[name] } }
	for _, c := range []struct {
		home string
		set  map[string]string
		want string
	}{
		{"/", map[string]string{"STATE_DIRECTORY": dir + "/data:" + dir + "/state"}, dir + "/state/productid/guards"},
		{"", map[string]string{"STATE_DIRECTORY": dir + "/one"}, dir + "/one/productid/guards"},
		{dir + "/home", map[string]string{"STATE_DIRECTORY": dir + "/one"}, dir + "/home/.local/state/productid/guards"},
		{"", map[string]string{"STATE_DIRECTORY": dir + "/one", "XDG_STATE_HOME": dir + "/xdg"}, dir + "/xdg/productid/guards"},
	} {
		t.Setenv("HOME", c.home)
		got, err := stateFolder(env(c.set), "guards")
		require.NoError(t, err)
		assert.Equal(t, filepath.FromSlash(c.want), got)
		assert.DirExists(t, got)
	}
	t.Setenv("HOME", "")
	_, err := stateFolder(env(nil), "guards")
	assert.Error(t, err)
}
