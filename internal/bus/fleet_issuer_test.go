package bus_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"roomsync/internal/tokens"
)

// issuer is a token service. What it answers may be changed while it runs.
type issuer struct {
	latency   time.Duration
	life      time.Duration
	refreshIn time.Duration

	mu     sync.Mutex
	calls  []issuance
	busy   int
	most   int                                          // at the same time
	answer func(process string, r tokens.Request) error // nil: all get a token
}

type issuance struct {
	at       time.Time
	process  string
	rejected string
	claims   string
}

func (i *issuer) fails(answer func(process string, r tokens.Request) error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// always fails with err.
func always(err error) func(string, tokens.Request) error {
	return func(string, tokens.Request) error { return err }
}

func (i *issuer) asked() []issuance {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]issuance(nil), i.calls...)
}

func (i *issuer) source(process string) tokens.Source {
	return func(ctx context.Context, r tokens.Request) (tokens.Token, error) {
		n, err := i.begin(process, r)
		select {
		case <-time.After(i.latency):
		case <-ctx.Done():
			err = ctx.Err()
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.busy--
		if err != nil {
			return tokens.Token{}, err
		}
		t := tokens.Token{Value: tokens.NewSecret(fmt.Sprintf("canary-token-%d", n)), Expires: time.Now().Add(i.life)}
		if i.refreshIn > 0 {
			t.RefreshAt = time.Now().Add(i.refreshIn)
		}
		return t, nil
	}
}

func (i *issuer) begin(process string, r tokens.Request) (n int, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls = append(i.calls, issuance{time.Now(), process, r.Rejected, r.Claims})
	i.busy++
	i.most = max(i.most, i.busy)
	if i.answer != nil {
		err = i.answer(process, r)
	}
	return len(i.calls), err
}
