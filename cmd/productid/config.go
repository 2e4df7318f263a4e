package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/productid/productid/host/console"
)

// userConfig is the user's own file, in his configuration folder, and the only one that is read without being named:
// whoever can write to a working folder must not choose what is done there. A file that --config names must be there.
const userConfig = "productid/productid.toml"

// configure fills every flag that was not given from its PRODUCTID_* variable, else from the configuration file.
func (a *app) configure(c *cobra.Command) error {
	file, err := a.configFile()
	if err != nil {
		return err
	}
	if err := checkKeys(c.Root(), file); err != nil {
		return err
	}
	var failed error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || failed != nil || !configurable(f.Name) || slices.Contains(strings.Fields(c.Annotations[typedOnly]), f.Name) {
			return
		}
		source, value := variable(f.Name), a.env(variable(f.Name))
		if v, ok := file[f.Name]; ok && value == "" {
			source, value = "the configuration file", fmt.Sprint(v)
		}
		if value == "" {
			return
		}
		if err := c.Flags().Set(f.Name, value); err != nil {
			failed = console.Misuse(fmt.Sprintf("reading %s from %s", f.Name, source), err.Error(), "mend the value; --"+f.Name+" wins over it")
		}
	})
	return failed
}

// typedOnly is the annotation of a verb that heeds these flags, parted by spaces, only where they are typed.
const typedOnly = "typed only"

// configurable flags may stand in a file or the environment. What gives consent, runs a program, writes a file or belongs
// to one request or one card must be said at each call.
func configurable(name string) bool {
	switch name {
	case "yes", "dry-run", "adopt", "reason", "from", "against", "checkpoint", "exec", "receipt", "out", "help", "version", "config",
		"action", "payload", "idempotency-key", "nonce", "context",
		"name", "role", "scope", "expires", "test",
		"subject", "gtin", "lot", "serial", "operator", "product-url", "login-required":
		return false
	}
	return true
}

// variable is the environment's name of a flag: --base-url is PRODUCTID_BASE_URL.
func variable(flag string) string {
	return "PRODUCTID_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configFile reads the TOML file, if there is one.
func (a *app) configFile() (map[string]any, error) {
	path := a.flags.config
	if path == "" {
		path = a.env(variable("config"))
	}
	named := path != ""
	if !named {
		folder, err := os.UserConfigDir()
		if err != nil {
			return nil, nil // a user without a home has no file in it
		}
		path = filepath.Join(folder, userConfig)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var file map[string]any
	if err := toml.Unmarshal(text, &file); err != nil {
		return nil, console.Misuse("reading "+path, err.Error(), "mend the file: lines of name = value, texts in quotes")
	}
	return file, nil
}

// checkKeys refuses a key that no verb takes from a file: a misspelt name must not be silently without effect.
func checkKeys(root *cobra.Command, file map[string]any) error {
	known := map[string]bool{}
	walk(root, func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	})
	for key, value := range file {
		switch {
		case !known[key]:
			return console.Misuse("reading the configuration file", fmt.Sprintf("no flag is called %q", key), "keys are the long names of flags, without --")
		case !configurable(key):
			return console.Misuse("reading the configuration file", fmt.Sprintf("%q cannot stand in a file", key), "take it out, and give --"+key+" at each call")
		case !scalar(value):
			return console.Misuse("reading the configuration file", fmt.Sprintf("the value of %q is neither a text nor a number nor true or false", key), "write one value: "+key+" = …")
		}
	}
	return nil
}

// scalar holds for a value that a flag can take.
func scalar(v any) bool {
	switch v.(type) {
	case string, bool, int64, float64:
		return true
	}
	return false
}

// walk visits a command and everything under it.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		walk(sub, visit)
	}
}
