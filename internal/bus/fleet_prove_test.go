package bus_test

import (
	"sync/atomic"
	"testing"
	"time"

	"roomsync/internal/tokens"
)

// afresh gives every process an empty memory, and a first request of that kind.
func (f *fleet) afresh(first tokens.Request) {
	f.t.Helper()
	for _, p := range f.all {
		var asked atomic.Bool
		p.reset(f, f.issuer.source(p.name), func(r *tokens.Request) {
			if !asked.Swap(true) {
				r.Prove, r.Fresh = first.Prove, first.Fresh
			}
		})
	}
}

// TestFleet_ANewCredentialIsProved by a token that it got, and not by one that the old one got; by one process for all.
func TestFleet_ANewCredentialIsProved(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.one()
		f.wantAsked(1)
		f.secretMustBe("secret two")
		f.each(func(p *process) { p.setSecret("secret wrong") })
		f.afresh(tokens.Request{Prove: true})
		if generations, failed := f.get(); failed != len(f.all) {
			t.Errorf("a wrong secret got %v", generations)
		}
		f.wantAsked(2)
		f.each(func(p *process) { p.setSecret("secret two") })
		time.Sleep(10 * time.Second)
		f.afresh(tokens.Request{Prove: true})
		f.one()
		f.wantAsked(3)
		f.afresh(tokens.Request{}) // as a process does that is merely started
		f.one()
		f.wantAsked(3)
	})
}

// TestFleet_WhatWasPutRightIsTriedAtOnce when an operator says so: neither the refusals of an hour ago nor the token
// of before count, and one process asks for all.
func TestFleet_WhatWasPutRightIsTriedAtOnce(t *testing.T) {
	inFleet(t, 16, func(f *fleet) {
		f.secretMustBe("secret two")
		f.get()
		f.wantAsked(1)
		time.Sleep(2 * time.Minute)
		f.secretMustBe("secret one")
		if _, failed := f.get(); failed != len(f.all) {
			t.Errorf("%d wait", failed)
		}
		f.wantAsked(1)
		f.afresh(tokens.Request{Prove: true, Fresh: true})
		before := f.one()
		f.wantAsked(2)
		time.Sleep(2 * time.Minute)
		f.afresh(tokens.Request{Prove: true, Fresh: true})
		if after := f.one(); after == before {
			t.Error("the token of before serves, whatever was granted since")
		}
		f.wantAsked(3)
	})
}
