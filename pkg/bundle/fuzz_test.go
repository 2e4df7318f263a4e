package bundle

import (
	"reflect"
	"testing"
	"time"
)

// FuzzVerify: nothing panics, every refusal has a class, and what is accepted is accepted as it is written again, with the same report.
func FuzzVerify(f *testing.F) {
	policy := newTangle(f, 0).policy()
	policy.Logs, policy.Issuers = newWorld(f).policy.Logs, nil
	now := begin.Add(2 * time.Hour)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Verify(data, policy, now)
		if err != nil {
			if Class(err) == "" || !reflect.DeepEqual(r, Report{}) {
				t.Fatalf("%v with %v", r, err)
			}
			return
		}
		read, err := parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Verify(read.marshal(), policy, now); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%v became %v: %v", r, again, err)
		}
	})
}
