package console

import (
	"context"
	"io/fs"
	"net"
)

// catalogue is every error that has words of its own, most particular first. Codes are stable: the API answers with
// them.
func catalogue() []entry {
	return []entry{
		{is(context.Canceled), Failure, "interrupted", "it was interrupted", "run it again: what was done stays done and is not done twice"},
		{is(context.DeadlineExceeded), Failure, "timeout", "it took too long", "run it again"},
		{is(fs.ErrNotExist), Failure, "not_found", "the file or folder is not there", "check the path; --data DIR names the data folder"},
		{is(fs.ErrPermission), Failure, "permission", "this user may not do that", "check who owns the file or folder"},
		{as[*net.OpError](), Reader, "no_connection", "nobody answers at that address", "start the virtual card (scripts/virtual-card.sh) or name another --reader"},
	}
}
