package main

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/page/browsertest"
)

// TestDemoInABrowser: who knows no terminal taps the card by a button, cheats by another, and goes to the shop by a third.
func TestDemoInABrowser(t *testing.T) {
	b := browsertest.Open(t)
	inSourceTree(t)
	ctx, cancel := context.WithCancel(t.Context())
	keys, press := io.Pipe()
	talk, said := io.Pipe()
	ended := make(chan console.Exit, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--reader", "sim"}, streams{keys, io.Discard, said, func(name string) string {
			return map[string]string{"PRODUCTID_SCRIPTS": "scripts"}[name]
		}})
		said.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	table := ""
	lines := bufio.NewScanner(talk)
	for table == "" && lines.Scan() {
		if found := regexp.MustCompile(`table +(http://localhost:\d+/demo) `).FindStringSubmatch(lines.Text()); found != nil {
			table = found[1]
		}
	}
	require.NotEmpty(t, table, "the demonstration says where its table is")
	go io.Copy(io.Discard, talk)

	tab := b.Tab(t, browsertest.Phone, "en")
	tab.Go(table)
	tab.Click("#tap")
	tab.WaitText(says("en", "recorded"))
	tab.Check()
	tab.Screenshot("demo-tapped")
	tab.Go(table)
	tab.Click("#again")
	tab.WaitText(says("en", "mine"))
	tab.Go(table)
	tab.Click("#stranger")
	tab.WaitText(says("en", "already_used"))
	tab.Go(table)
	tab.Click("#tap")
	tab.WaitText(says("en", "recorded"))
	tab.Click(`a[href^="/go/"]`)
	tab.Wait("#owner")
	tab.Check()
	tab.Screenshot("demo-shop")

	_, err := io.WriteString(press, "q\n")
	require.NoError(t, err)
	code := <-ended
	ended <- code
	assert.Equal(t, console.OK, code)
}
