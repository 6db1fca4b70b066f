package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestOutcome: a part's error counts whatever it wraps, unless the caller has had enough.
func TestOutcome(t *testing.T) {
	for _, wrapped := range []error{context.DeadlineExceeded, context.Canceled, errors.New("other")} {
		parent, end := context.WithCancel(t.Context())
		parts, stop := context.WithCancelCause(parent)
		stop(fmt.Errorf("dispatcher: records: %w", wrapped))
		if err := outcome(parent, parts); !errors.Is(err, wrapped) {
			t.Errorf("a part ended with %v, reported as %v", wrapped, err)
		}
		end()
		if err := outcome(parent, parts); err != nil {
			t.Errorf("the caller ended it: %v", err)
		}
	}
}
