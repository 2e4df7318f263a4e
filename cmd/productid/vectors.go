package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
)

func (a *app) vectors() *cobra.Command {
	return &cobra.Command{
		Use:     "vectors FILE...",
		Short:   "Run files of test vectors against this build",
		Long:    "Runs tap and channel vectors, good and bad ones, and says which of them this build answers otherwise than the file expects.",
		Example: "  productid vectors testdata/vectors/tap.json testdata/vectors/channel.json",
		Args:    arguments(1, -1, "files of test vectors"),
		RunE: func(_ *cobra.Command, args []string) error {
			tally := tally{Differ: []difference{}}
			for _, path := range args {
				if err := tally.run(path); err != nil {
					return err
				}
			}
			if err := a.console.Answer(tally, tally.words); err != nil {
				return err
			}
			if len(tally.Differ) > 0 {
				return console.Answered{Exit: console.Failure}
			}
			return nil
		},
	}
}

// tally counts vectors and keeps those that differ.
type tally struct {
	Vectors int          `json:"vectors"`
	Differ  []difference `json:"differ"`
	file    string
}

type difference struct {
	File string `json:"file"`
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

func (t *tally) words(w io.Writer) {
	for _, d := range t.Differ {
		fmt.Fprintf(w, "differs: %s: %s: want %s, got %s\n", d.File, console.Clean(d.Name), console.Clean(d.Want), d.Got)
	}
	fmt.Fprintf(w, "%d vectors, %d differ\n", t.Vectors, len(t.Differ))
}

// compare counts one vector.
func (t *tally) compare(name, want, got string) {
	t.Vectors++
	if want != got {
		t.Differ = append(t.Differ, difference{t.file, name, want, got})
	}
}

// run runs one file.
func (t *tally) run(path string) error {
	t.file = path
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading vectors: %w", err)
	}
	var head struct{ Format string }
	if err := json.Unmarshal(text, &head); err != nil {
		return malformedVectors(path, err.Error())
	}
	switch head.Format {
	case "tap v1":
		return t.taps(text)
	case "pidc1":
		return t.channels(text)
	}
	return malformedVectors(path, fmt.Sprintf("no known format: %q", head.Format))
}

func malformedVectors(path, why string) error {
	return console.Misuse("reading vectors from "+path, "malformed: "+why, "give a file like those in testdata/vectors")
}

// hexText is bytes as the vectors write them.
type hexText []byte

// UnmarshalText reads hexadecimal digits.
func (h *hexText) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}
