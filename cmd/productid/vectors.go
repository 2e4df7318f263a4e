package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/vectors"
)

func (a *app) vectors() *cobra.Command {
	return &cobra.Command{
		Use:     "vectors FILE...",
		Short:   "Run files of test vectors against this build",
		Long:    "Runs tap and channel vectors, good and bad ones, and says which of them this build answers otherwise than the file expects.",
		Example: "  productid vectors testdata/vectors/tap.json testdata/vectors/channel.json",
		Args:    arguments(1, -1, "files of test vectors"),
		RunE: func(_ *cobra.Command, args []string) error {
			tally := vectors.Tally{Differ: []vectors.Difference{}}
			for _, path := range args {
				text, err := os.ReadFile(path)
				if err != nil {
					return fmt.Errorf("reading vectors: %w", err)
				}
				if err := tally.Run(path, text); err != nil {
					return console.Misuse("reading vectors from "+path, "malformed: "+err.Error(), "give a file like those in testdata/vectors")
				}
			}
			if err := a.console.Answer(tally, func(w io.Writer) { tallyWords(w, tally) }); err != nil {
				return err
			}
			if len(tally.Differ) > 0 {
				return console.Answered{Exit: console.Failure}
			}
			return nil
		},
	}
}

func tallyWords(w io.Writer, t vectors.Tally) {
	for _, d := range t.Differ {
		fmt.Fprintf(w, "differs: %s: %s: want %s, got %s\n", d.File, console.Clean(d.Name), console.Clean(d.Want), d.Got)
	}
	fmt.Fprintf(w, "%d vectors, %d differ\n", t.Vectors, len(t.Differ))
}
