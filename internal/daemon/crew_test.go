package daemon

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"roomsync/internal/config"
)

// hand is a worker that takes a while to finish what it has in hand.
type hand struct {
	log    *[]string
	tenant string
	fails  error
}

func (h hand) Ready() error { return nil }

func (h hand) Run(ctx context.Context) error {
	*h.log = append(*h.log, h.tenant+" begins")
	if h.fails != nil {
		return h.fails
	}
	<-ctx.Done()
	time.Sleep(10 * time.Second) // fake time
	*h.log = append(*h.log, h.tenant+" ends")
	return nil
}

func employer(tenant string) config.Worker {
	return config.Worker{Exchange: config.Exchange{TenantID: tenant}}
}

// TestCrew_OneAfterTheOther: the sign-in is exchanged while nobody works, and the order is done once another works.
func TestCrew_OneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		c := newCrew()
		if c.ready() == nil {
			t.Error("ready without a worker")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- c.run(ctx, employer("old"), func(cfg config.Worker, _ int) (shift, error) { return hand{log: &log, tenant: cfg.TenantID}, nil })
		}()
		synctest.Wait()
		if err := c.ready(); err != nil {
			t.Error(err)
		}
		if !c.relieve(ctx, employer("new"), func() { log = append(log, "swap") }) {
			t.Error("not relieved")
		}
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if want := []string{"old begins", "old ends", "swap", "new begins", "new ends"}; !slices.Equal(log, want) {
			t.Errorf("%v, want %v", log, want)
		}
		if c.relieve(ctx, employer("third"), func() { t.Error("swapped after the end") }) {
			t.Error("relieved after the end")
		}
	})
}

func TestCrew_AWorkerThatFailsEndsIt(t *testing.T) {
	for _, hiring := range []bool{false, true} {
		var log []string
		trouble := errors.New("trouble")
		err := newCrew().run(t.Context(), employer("a"), func(config.Worker, int) (shift, error) {
			if hiring {
				return nil, trouble
			}
			return hand{log: &log, fails: trouble}, nil
		})
		if !errors.Is(err, trouble) {
			t.Errorf("%v", err)
		}
	}
}
