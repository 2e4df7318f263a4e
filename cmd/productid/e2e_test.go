package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/console"
	"github.com/productid/productid/host/devnet/devnettest"
	"github.com/productid/productid/host/pcsc"
)

// story is what demo proves, in order.
var story = []string{"reader found", "key made on the card", "registered", "rehearsal read back as a phone reads it", "locked",
	"locked card read as a phone reads it", "in service", "tap 1 valid", "recorded with receipt", "same URL already used", "tap 2 valid", "receipt verified offline", "ledger checked",
	"tap 3 on the website", "shop knows who tapped"}

// inSourceTree goes to the root, where the scripts and the compiled applet are.
func inSourceTree(t *testing.T) {
	t.Helper()
	t.Chdir("../..")
	for _, class := range []string{"jcardsim-tests/target/classes/productid/sim/VirtualCard.class", "applet/build/classes/productid/card/ProductIdApplet.class"} {
		if _, err := os.Stat(class); err != nil {
			skip(t, "the virtual card is not compiled (make build)")
		}
	}
}

// skip leaves a test out for what this machine lacks, unless everything is required.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// tell runs the demonstration and wants the whole story of it.
func tell(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, talk bytes.Buffer
	code := run(ctx, append([]string{"demo", "--once"}, args...), streams{strings.NewReader(""), &out, &talk, func(name string) string {
		return map[string]string{"PRODUCTID_SCRIPTS": "scripts"}[name]
	}})
	require.Equal(t, console.OK, code, talk.String())
	rest := out.String()
	for _, step := range story {
		_, after, found := strings.Cut(rest, step)
		require.True(t, found, "%s is missing in\n%s", step, out.String())
		rest = after
	}
	return out.String()
}

func TestDemoThroughPCSC(t *testing.T) {
	if _, err := pcsc.List(); errors.Is(err, pcsc.ErrUnsupported) {
		t.Skip("this build is the one without PC/SC")
	}
	inSourceTree(t)
	if !strings.Contains(tell(t), "PC/SC reader Virtual PCD") {
		skip(t, "pcscd cannot run here, the story was told over TCP")
	}
}

func TestDemoThroughTCP(t *testing.T) {
	inSourceTree(t)
	require.Contains(t, tell(t, "--reader", "sim"), "reader found: virtual card over TCP 127.0.0.1:")
}

func TestDemoWithAnRSACard(t *testing.T) {
	inSourceTree(t)
	require.Contains(t, tell(t, "--reader", "sim", "--alg", "rsa2048"), "key made on the card: rsa2048")
}

func TestDemoOnStardust(t *testing.T) {
	devnettest.Programs(t)
	inSourceTree(t)
	out := tell(t, "--reader", "sim", "--ledger", "stardust")
	require.Contains(t, out, "network up: devnet-")
	require.Regexp(t, `recorded with receipt: message 1 of the card's channel, block \d+ of milestone \d+ of devnet-`, out)
}
