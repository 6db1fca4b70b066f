package tokens

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestReject_ThousandRejectionsAskOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		get(t, c)
		yes := together(1000, func() bool {
			retry, err := c.Reject(t.Context(), "1", "challenge")
			return retry && err == nil
		})
		if yes != 1000 {
			t.Errorf("%d of 1000 may repeat", yes)
		}
		wantCalls(t, s, 2)
		if s.claims[1] != "challenge" {
			t.Errorf("claims %q", s.claims[1])
		}
		if retry, err := c.Reject(t.Context(), "1", ""); !retry || err != nil {
			t.Errorf("late rejection of the old generation: %v, %v; want a repetition with the new one", retry, err)
		}
		wantCalls(t, s, 2)
	})
}

func TestReject_ServerThatRejectsEverythingCausesNoStorm(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		for range 3600 { // an hour of jobs, each rejected twice
			for range 2 {
				retry, err := c.Reject(t.Context(), get(t, c).Generation, "")
				if err != nil {
					t.Fatal(err)
				}
				if !retry {
					break
				}
			}
			time.Sleep(time.Second)
		}
		if n := s.count(); n < 2 || n > 8 {
			t.Errorf("%d token requests in an hour", n)
		}
	})
}

func TestReject_FailedRefreshIsTriedAgainWhenDue(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		get(t, c)
		s.fails(&Error{Status: 503})
		for range 100 {
			if retry, err := c.Reject(t.Context(), "1", ""); retry || delay(t, err) <= 0 {
				t.Fatalf("Reject: %v, %v", retry, err)
			}
		}
		wantCalls(t, s, 2)
		if g := get(t, c).Generation; g != "1" {
			t.Errorf("generation %s; others should go on with the old token", g)
		}
		s.fails(nil)
		time.Sleep(5 * time.Second)
		if retry, err := c.Reject(t.Context(), "1", ""); !retry || err != nil {
			t.Errorf("Reject when due: %v, %v", retry, err)
		}
		wantCalls(t, s, 3)
	})
}

// A token that was revoked, with a credential that was revoked as well, would be rejected for each mailbox once a minute.
func TestReject_RevokedTokenAndCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		get(t, c)
		s.fails(&Error{Code: "invalid_client", Status: 401, RetryAfter: 15 * time.Minute})
		sent, mailboxes := 0, 20
		for range 15 { // minutes
			for range mailboxes {
				if tok, err := c.Get(t.Context()); err == nil {
					sent++
					if retry, err := c.Reject(t.Context(), tok.Generation, ""); retry || delay(t, err) <= 0 {
						t.Fatalf("Reject: %v, %v", retry, err)
					}
				}
			}
			time.Sleep(time.Minute)
		}
		if sent > doubts+1 {
			t.Errorf("the rejected token was sent %d times", sent)
		}
		if n := s.count(); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}
		s.fails(nil)
		if tok := get(t, c); tok.Generation != "2" {
			t.Errorf("generation %s after the cure", tok.Generation)
		}
	})
}

// One mailbox that is refused with 401 says nothing about the token, not even when that cannot be renewed.
func TestReject_OneMailboxDoesNotCostTheToken(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		get(t, c)
		s.fails(&Error{Code: "invalid_client", Status: 401, RetryAfter: 15 * time.Minute})
		for range 50 {
			if retry, _ := c.Reject(t.Context(), get(t, c).Generation, ""); retry {
				t.Fatal("worth repeating")
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestReject_SameTokenAgainIsNotWorthRepeating(t *testing.T) {
	calls := 0
	c := NewCache(func(context.Context, Request) (Token, error) {
		calls++
		return Token{Value: NewSecret("same"), Expires: time.Now().Add(time.Hour), Generation: "shared-7"}, nil
	})
	defer c.Close()
	get(t, c)
	for range 10 {
		if retry, err := c.Reject(t.Context(), "shared-7", ""); retry || err != nil {
			t.Errorf("Reject: %v, %v", retry, err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

func TestBearer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *issuer, c *Cache) {
		b := Bearer(c)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://exchange.example/", nil)
		gen, err := b.Apply(t.Context(), r)
		if err != nil || gen != "1" || r.Header.Get("Authorization") != "Bearer token-1" {
			t.Errorf("Apply: %q, %v, header %q", gen, err, r.Header.Get("Authorization"))
		}
		if retry, err := b.Reject(t.Context(), gen, ""); !retry || err != nil {
			t.Errorf("Reject: %v, %v", retry, err)
		}
		gen, _ = b.Apply(t.Context(), r)
		if gen != "2" || r.Header.Get("Authorization") != "Bearer token-2" {
			t.Errorf("after the rejection: %q, header %q", gen, r.Header.Get("Authorization"))
		}
		time.Sleep(2 * time.Hour)
		s.fails(&Error{Code: "invalid_client", Status: 401})
		r.Header.Del("Authorization")
		if _, err := b.Apply(t.Context(), r); err == nil || !strings.Contains(err.Error(), "invalid_client") || r.Header.Get("Authorization") != "" {
			t.Errorf("without a token: %v, header %q", err, r.Header.Get("Authorization"))
		}
	})
}
