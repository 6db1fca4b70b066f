package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// issuer is a Source in fake time: each call takes latency, and answers with err or a token that lives for life.
type issuer struct {
	mu      sync.Mutex
	calls   []time.Time
	claims  []string
	err     error
	latency time.Duration
	life    time.Duration
}

func (s *issuer) token(ctx context.Context, r Request) (Token, error) {
	s.mu.Lock()
	s.calls = append(s.calls, time.Now())
	s.claims = append(s.claims, r.Claims)
	n, err, latency, life := len(s.calls), s.err, s.latency, s.life
	s.mu.Unlock()
	select {
	case <-time.After(latency):
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	if err != nil {
		return Token{}, err
	}
	return Token{Value: NewSecret(fmt.Sprintf("token-%d", n)), Expires: time.Now().Add(life)}, nil
}

func (s *issuer) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *issuer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// inBubble runs f in fake time with a cache whose jitter is none.
func inBubble(t *testing.T, f func(t *testing.T, s *issuer, c *Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &issuer{latency: time.Second, life: time.Hour}
		c := NewCache(s.token)
		c.jitter = func() float64 { return 0 }
		defer c.Close()
		f(t, s, c)
	})
}

func get(t *testing.T, c *Cache) Token {
	t.Helper()
	tok, err := c.Get(t.Context())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return tok
}

func wantCalls(t *testing.T, s *issuer, n int) {
	t.Helper()
	if s.count() != n {
		t.Fatalf("the issuer was asked %d times, want %d", s.count(), n)
	}
}

// together runs f in n goroutines at once and returns how often it reported true.
func together(n int, f func() bool) (yes int) {
	results := make(chan bool)
	for range n {
		go func() { results <- f() }()
	}
	for range n {
		if <-results {
			yes++
		}
	}
	return yes
}

func TestCache_ColdStartOfAThousandAsksOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		yes := together(1000, func() bool {
			tok, err := c.Get(t.Context())
			return err == nil && tok.Value.Reveal() == "token-1" && tok.Generation == "1"
		})
		if yes != 1000 {
			t.Errorf("%d of 1000 got the token", yes)
		}
		wantCalls(t, s, 1)
	})
}

func TestCache_RefreshesInTheBackground(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		get(t, c)
		time.Sleep(38 * time.Minute)
		get(t, c)
		synctest.Wait()
		wantCalls(t, s, 1)

		time.Sleep(2 * time.Minute) // 40 of 60 minutes: past 65 %
		before := time.Now()
		yes := together(1000, func() bool { tok, err := c.Get(t.Context()); return err == nil && tok.Generation == "1" })
		if yes != 1000 || time.Since(before) != 0 {
			t.Errorf("%d of 1000 were served by the old token, after %v; want all at once", yes, time.Since(before))
		}
		time.Sleep(2 * time.Second)
		if g := get(t, c).Generation; g != "2" {
			t.Errorf("generation %s after the refresh, want 2", g)
		}
		wantCalls(t, s, 2)
	})
}

func TestCache_OldTokenServesWhileRefreshFails(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		expires := get(t, c).Expires
		s.fails(&Error{Status: 503})
		for time.Now().Before(expires) {
			if g := get(t, c).Generation; g != "1" {
				t.Fatalf("generation %s", g)
			}
			time.Sleep(time.Second)
		}
		tok, err := c.Get(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Status != 503 || !tok.Value.IsZero() {
			t.Errorf("after expiry: %v, %v; want the last error", tok, err)
		}
		// 21 minutes of failures, each call a second long: 5, 10, 20, 40, 80, 160 s, then every 5 minutes.
		if n := s.count() - 1; n < 8 || n > 10 {
			t.Errorf("%d tries in 21 minutes", n)
		}
	})
}

func TestCache_SpacesFailures(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		s.fails(errors.New("no route to host"))
		s.latency = 0
		start := time.Now()
		for time.Since(start) < 11*time.Minute {
			together(50, func() bool { _, err := c.Get(t.Context()); return err == nil })
			time.Sleep(time.Second)
		}
		want := []time.Duration{0, 5, 15, 35, 75, 155, 315, 615}
		wantCalls(t, s, len(want))
		for i, at := range s.calls {
			if at.Sub(start) != want[i]*time.Second {
				t.Errorf("try %d after %v, want %v", i+1, at.Sub(start), want[i]*time.Second)
			}
		}
	})
}

func TestCache_SpacesFailuresFromFiveSecondsWithJitterOnTop(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999} {
		for failures := 1; failures < 100; failures++ {
			if w := spacing(failures, jitter); w < firstRetry || w > lastRetry*11/10 {
				t.Errorf("jitter %v, failure %d: %v", jitter, failures, w)
			}
		}
	}
}

func TestCache_ObeysRetryAfter(t *testing.T) {
	tests := map[string]struct{ demanded, want time.Duration }{
		"longer than ours":  {90 * time.Second, 90 * time.Second},
		"shorter than ours": {time.Second, 5 * time.Second},
		"negative":          {-time.Hour, 5 * time.Second},
		"absurd":            {100 * 24 * time.Hour, 2 * time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
				s.fails(fmt.Errorf("wrapped: %w", &Error{Status: 429, RetryAfter: tt.demanded}))
				_, err := c.Get(t.Context())
				if d := delay(t, err); d != tt.want {
					t.Errorf("RetryAfter %v, want %v", d, tt.want)
				}
				time.Sleep(tt.want - time.Second)
				_, err = c.Get(t.Context())
				if d := delay(t, err); d != time.Second {
					t.Errorf("RetryAfter a second before: %v", d)
				}
				wantCalls(t, s, 1)
				s.fails(nil)
				time.Sleep(time.Second)
				get(t, c)
				wantCalls(t, s, 2)
			})
		})
	}
}

func delay(t *testing.T, err error) time.Duration {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	return e.RetryDelay()
}

func TestCache_CallerMayGiveUpWithoutEndingTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		s.latency = 10 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: %v", err)
		}
		get(t, c)
		wantCalls(t, s, 1)
	})
}

func TestCache_EndsACallThatTakesTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		s.latency = 24 * time.Hour
		start := time.Now()
		_, err := c.Get(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != requestTimeout {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestCache_Close(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		s.latency = 10 * time.Second
		go func() {
			time.Sleep(time.Second)
			c.Close()
		}()
		for range 2 {
			if _, err := c.Get(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("Get: %v, want ErrClosed", err)
			}
		}
		wantCalls(t, s, 1)
	})
}

func TestCache_CloseWaitsForTheCallToEnd(t *testing.T) {
	for takes, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: closeTimeout} {
		synctest.Test(t, func(t *testing.T) {
			c := NewCache(func(ctx context.Context, _ Request) (Token, error) {
				<-ctx.Done()
				time.Sleep(takes)
				return Token{}, ctx.Err()
			})
			go func() { _, _ = c.Get(t.Context()) }()
			synctest.Wait()
			start := time.Now()
			if c.Close(); time.Since(start) != want {
				t.Errorf("a call that ends after %v was waited for %v, want %v", takes, time.Since(start), want)
			}
			time.Sleep(takes)
		})
	}
}

func TestCache_RefusesNonsense(t *testing.T) {
	tests := map[string]Token{
		"no token":        {Expires: time.Now().Add(time.Hour)},
		"no expiry":       {Value: NewSecret("x")},
		"expired already": {Value: NewSecret("x"), Expires: time.Now().Add(-time.Hour)},
		"a moment only":   {Value: NewSecret("x"), Expires: time.Now().Add(time.Second)},
	}
	for name, tok := range tests {
		t.Run(name, func(t *testing.T) {
			c := NewCache(func(context.Context, Request) (Token, error) { return tok, nil })
			defer c.Close()
			if got, err := c.Get(t.Context()); err == nil {
				t.Errorf("accepted %+v", got)
			}
		})
	}
}

func TestRefreshAt(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	tests := map[string]struct {
		token    Token
		from, to time.Time
	}{
		"from the lifetime":        {Token{Expires: in(100 * time.Minute)}, in(65 * time.Minute), in(75 * time.Minute)},
		"as the issuer wants":      {Token{Expires: in(24 * time.Hour), RefreshAt: in(12 * time.Hour)}, in(12 * time.Hour), in(12*time.Hour + 144*time.Minute)},
		"issuer wants it too late": {Token{Expires: in(100 * time.Minute), RefreshAt: in(101 * time.Minute)}, in(65 * time.Minute), in(75 * time.Minute)},
		"issuer wants it at the end": {
			Token{Expires: in(100 * time.Minute), RefreshAt: in(98 * time.Minute)}, in(98 * time.Minute), in(99 * time.Minute)},
	}
	for name, tt := range tests {
		if got := refreshAt(tt.token, now, 0); !got.Equal(tt.from) {
			t.Errorf("%s: earliest %v, want %v", name, got.Sub(now), tt.from.Sub(now))
		}
		if got := refreshAt(tt.token, now, 1); !got.Equal(tt.to) {
			t.Errorf("%s: latest %v, want %v", name, got.Sub(now), tt.to.Sub(now))
		}
	}
}

func TestCache_LifeWithoutEndIsCut(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		s.life = 200 * 365 * 24 * time.Hour
		if left := time.Until(get(t, c).Expires); left != maxLife {
			t.Errorf("%v left, want %v", left, maxLife)
		}
		time.Sleep(40 * time.Hour)
		get(t, c)
		synctest.Wait()
		wantCalls(t, s, 2)
	})
}
