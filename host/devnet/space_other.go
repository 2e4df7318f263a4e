//go:build !linux

package devnet

import (
	"context"
	"errors"
	"syscall"
)

type space struct{ own bool }

func chooseSpace(context.Context, string) (space, error) {
	return space{}, errors.New("a devnet runs on Linux only")
}

func lock(context.Context, string) (func(), error) {
	return nil, errors.New("a devnet runs on Linux only")
}

func (space) attributes() *syscall.SysProcAttr { return nil }

func outside() string { return "" }

func alive(int, uint64) bool { return false }

func signal(int, bool) {}
